import type { ChannelMessage, EchoView, ItemView, LatencyView, ModelView, NoticeView, SoundCheckView, StatusView, ToolView, UsageView, ViewEvent } from '../ipc/types';

/** What the page shows: a copy of the program's view, rebuilt from the channel. */
export interface PageState {
  status: StatusView;
  items: ItemView[];
  tools: ToolView[];
  usage: UsageView | null;
  notices: NoticeView[];
  models: ModelView[];
  latency: LatencyView | null;
  echo: EchoView | null;
  soundCheck: SoundCheckView | null;
  voiceDelays: Record<string, number | undefined>;
  inputDbfs: number;
  outputDbfs: number;
}

export const empty: PageState = {
  status: { phase: 'idle', agent: 'idle', micOpen: false, isRecording: false, muted: false, userSpeaking: false, talkKey: false, loading: null },
  items: [], tools: [], usage: null, notices: [], models: [], latency: null, echo: null, soundCheck: null, voiceDelays: {}, inputDbfs: -100, outputDbfs: -100,
};

export function reduce(state: PageState, message: ChannelMessage): PageState {
  if (message.type === 'event') return apply(state, message.event);
  const { view, models } = message.snapshot;
  return { ...state, ...view, models, items: ordered(view.items) };
}

function apply(state: PageState, event: ViewEvent): PageState {
  switch (event.type) {
    case 'status': return { ...state, status: event.status };
    case 'item': return { ...state, items: ordered(upsert(state.items, event.item)) };
    case 'tool': return { ...state, tools: upsert(state.tools, event.tool) };
    case 'usage': return { ...state, usage: event.usage };
    case 'itemRemoved':
      return { ...state, items: state.items.filter((i) => i.id !== event.id), tools: state.tools.filter((t) => t.id !== event.id) };
    case 'cleared': return { ...state, items: [], tools: [], usage: null, latency: null };
    case 'notice': return { ...state, notices: upsert(state.notices, event.notice) };
    case 'noticeGone': return { ...state, notices: state.notices.filter((n) => n.id !== event.id) };
    case 'latency': return { ...state, latency: event.latency };
    case 'echo': return { ...state, echo: event.echo };
    case 'soundCheck': return { ...state, soundCheck: event.check };
    case 'voiceDelay': return { ...state, voiceDelays: { ...state.voiceDelays, [event.voice]: event.ms } };
    case 'model': return { ...state, models: upsert(state.models, event.model) };
    case 'level': return { ...state, inputDbfs: event.inputDbfs, outputDbfs: event.outputDbfs };
  }
}

function upsert<T extends { id: string }>(list: T[], one: T): T[] {
  const at = list.findIndex((x) => x.id === one.id);
  return at < 0 ? [...list, one] : list.with(at, one);
}

const ordered = (items: ItemView[]) => [...items].sort((a, b) => a.position - b.position);
