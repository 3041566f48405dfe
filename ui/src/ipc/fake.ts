import type { Backend } from './backend';
import type { Action, Catalog, EngineChoice, ItemView, KeyState, ModelView, ProbeReport, Settings, Snapshot, StatusView, ToolView, UsageView } from './types';

/** The page without a program behind it: scenes for tests, screenshots and `npm run dev`. */
export function fake(scene: string): Backend & { actions: Action[] } {
  const actions: Action[] = [];
  let key: KeyState = scene === 'wrongKey' ? { type: 'rejected', last4: '9f3c' } : { type: 'missing' };
  let settings: Settings = {
    version: 1, voice: 'heart', tone: 'neutral', prompts: {},
    inputDevice: null, outputDevice: null, inputChannels: {}, engine: engines[scene] ?? { type: 'onDevice' }, turns: scene === 'key' ? 'pushToTalk' : 'semantic', echo: 'fullDuplex', echoBySpeaker: {}, interrupt: 'atOnce', shortcut: null, language: null, quietMinutes: 15,
    voices: {}, found: {},
  };
  return {
    actions,
    subscribe: async (onMessage) => {
      onMessage({ type: 'snapshot', snapshot: scenes[scene] ?? scenes.listening! });
      if (scene !== 'idle') onMessage({ type: 'event', event: { type: 'level', inputDbfs: -30, outputDbfs: -100 } });
    },
    act: async (action) => void actions.push(action),
    settings: async () => settings,
    applySettings: async (next) => void (settings = next),
    catalog: async () => catalog,
    devices: async () => [
      { id: 'm', name: 'Built-in microphone', isInput: true, isDefault: true, channels: 8 },
      { id: 's', name: 'Built-in speaker', isInput: false, isDefault: true, channels: 2 },
    ],
    installModels: async () => {},
    cancelInstall: async () => {},
    checkSound: async () => {},
    endSoundCheck: async () => {},
    keyState: async () => key,
    setKey: async (_account, text, keep) => (key = { type: 'present', last4: text.slice(-4), kept: keep }),
    clearKey: async () => (key = { type: 'missing' }),
    probeServer: async () => report,
  };
}

const catalog: Catalog = {
  voices: [
    { id: 'heart', name: 'Heart', description: 'American woman, quick', model: 'hibari' },
    { id: 'bf_emma', name: 'Emma', description: 'British woman', model: 'kokoro' },
  ],
  tones: [
    { id: 'neutral', name: 'Neutral', prompt: 'You are Vivavoce, a helpful voice assistant.' },
    { id: 'storyteller', name: 'Storyteller', prompt: 'You are Vivavoce, a storyteller by the fire.' },
  ],
  providers: [
    { id: 'openai', name: 'OpenAI', url: 'wss://api.openai.com/v1/realtime', model: 'gpt-realtime-2.1', voices: ['marin', 'cedar'], needsKey: true, variable: 'OPENAI_API_KEY' },
    { id: 'other', name: 'Other server', url: 'ws://127.0.0.1:8000/v1/realtime', model: null, voices: [], needsKey: false, variable: 'VIVAVOCE_OTHER_KEY' },
  ],
};

const item = (id: string, position: number, speaker: 'user' | 'assistant', text: string, more: Partial<ItemView> = {}): ItemView => ({
  id, position, speaker, text, heardChars: null, state: 'final', ...more,
});

const model = (id: string, name: string, state: ModelView['state'], required = true): ModelView => ({
  id, name, role: 'writes the answers', licence: 'Apache-2.0', downloadBytes: 477_600_000, required, state,
});

const status = (more: Partial<StatusView>): StatusView => ({
  phase: 'live', agent: 'listening', micOpen: true, isRecording: more.micOpen !== false, muted: false, userSpeaking: false, talkKey: false, loading: null, ...more,
});

const talk: ItemView[] = [
  item('1', 0, 'user', 'What is the biggest planet in the solar system?'),
  item('2', 1, 'assistant', 'The biggest planet in the solar system is Jupiter. It is eleven times as wide as the Earth.', {
    state: 'interrupted', heardChars: 50,
  }),
  item('3', 2, 'user', 'And how many moons does it have?'),
];

const latency = { endOfTurnMs: 310, commitMs: 312, responseMs: 320, firstAudioMs: 880, firstHeardMs: 910, p50Ms: 905, p95Ms: 1240, turns: 12 };
const server = (provider: string): EngineChoice => ({ type: 'server', url: 'wss://api.openai.com/v1/realtime', provider, model: null, lowBandwidth: false });
const engines: Record<string, EngineChoice | undefined> = {
  server: server('openai'), wrongKey: server('openai'), key: server('openai'),
  stitched: {
    type: 'stitched', ears: { type: 'onDevice' },
    mind: { type: 'http', url: 'http://127.0.0.1:11434/v1', model: 'llama3.2', voice: '', account: '' },
    mouth: { type: 'realtime', url: 'wss://api.openai.com/v1/realtime', model: 'gpt-realtime-2.1-mini', voice: 'marin', account: 'openai' },
  },
};
const report: ProbeReport = {
  found: null,
  checks: [
    { what: 'greets', verdict: 'yes', seen: 'session.created' },
    { what: 'cuts to what was heard', verdict: 'no', seen: 'no answer; passed over' },
  ],
};
const tool = (id: string, position: number, name: string, more: Partial<ToolView>): ToolView => ({
  id, position, name, callId: `call_${id}`, arguments: '{}', state: 'done', output: null, ...more,
});
const usage: UsageView = {
  responses: 3, inputTokens: 2140, cachedTokens: 1536, outputTokens: 402, lastUsd: 0.0072, totalUsd: 0.0214,
  transcriptionUsd: 0.0009, savedUsd: 0.0431, pricesAsOf: '2026-11-22',
};

const installed = [model('qwen-0.5b', 'Qwen2.5 0.5B', { type: 'installed' }), model('hibari', 'Hibari', { type: 'installed' })];
const snapshot = (more: Partial<StatusView>, rest: Partial<Snapshot['view']> = {}, models = installed): Snapshot => ({
  view: { status: status(more), items: talk, tools: [], usage: null, notices: [], latency: null, echo: null, soundCheck: null, voiceDelays: { bf_emma: 1240 }, ...rest },
  models,
});

export const scenes: Record<string, Snapshot> = {
  idle: snapshot({ phase: 'idle', agent: 'idle', micOpen: false }, { items: [] }),
  listening: snapshot({}, { latency: latency, echo: { state: 'good', softerDb: 52, delayMs: 88 } }),
  thinking: snapshot({ agent: 'thinking' }),
  speaking: snapshot({ agent: 'speaking' }, { items: [...talk, item('4', 3, 'assistant', 'It has at least ninety-five', { state: 'partial' })] }),
  muted: snapshot({ muted: true }),
  loading: snapshot({ phase: 'live', loading: { what: 'models', done: 2, total: 5 } }, { items: [] }),
  reconnecting: snapshot({ phase: 'reconnecting', agent: 'idle' }, {
    notices: [{ id: 'link', severity: 'warning', action: 'retry', text: 'The connection was lost. Connecting again; nothing you said is lost.' }],
  }),
  models: snapshot({ phase: 'idle', agent: 'idle', micOpen: false }, {
    items: [],
    notices: [{ id: 'models', severity: 'warning', action: 'installModels', text: 'To talk without a server, Vivavoce needs its models: 478 MB to fetch, once.' }],
  }, [
    model('qwen-0.5b', 'Qwen2.5 0.5B', { type: 'downloading', doneBytes: 120_000_000 }),
    model('kokoro', 'Kokoro 82M with 28 English voices', { type: 'missing' }, false),
  ]),
  server: snapshot({}, {
    usage, latency,
    tools: [
      tool('t1', 3, 'set_timer', { arguments: '{"seconds":300,"label":"tea"}', output: '{"set":true}' }),
      tool('t2', 4, 'recall', { arguments: '{"query":"moo', state: 'streaming' }),
    ],
  }),
  stitched: snapshot({ agent: 'thinking' }, { latency }),
  key: snapshot({ talkKey: true, userSpeaking: true }),
  wrongKey: snapshot({ phase: 'idle', agent: 'idle', micOpen: false }, {
    notices: [{ id: 'link', severity: 'error', action: 'openSettings', text: 'The server rejected the key.' }],
  }),
  checking: snapshot({ phase: 'idle', agent: 'idle', micOpen: false }, { items: [], soundCheck: { stage: { type: 'over' }, findings: [] } }),
  checked: snapshot({ phase: 'idle', agent: 'idle', micOpen: false }, {
    items: [],
    soundCheck: {
      stage: { type: 'done' },
      findings: [
        { what: 'microphone', grade: 'good', words: 'It hears.' },
        { what: 'room', grade: 'fair', words: 'Noise at -39 dB. It is loud: a headset, or the talk key, is safer.' },
        { what: 'self-interruption', grade: 'bad', words: 'It took itself for you 2 times. Lower the volume, or choose “deaf while it speaks” or headphones.' },
      ],
    },
  }),
  failure: snapshot({ phase: 'idle', agent: 'idle', micOpen: false }, {
    notices: [{ id: 'microphone', severity: 'error', action: 'chooseDevice', text: 'No microphone was found. You can still type.' }],
  }),
};
