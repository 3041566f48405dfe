import type { Backend } from './backend';
import type { Action, Catalog, ItemView, ModelView, Settings, Snapshot, StatusView } from './types';

/** The page without a program behind it: scenes for tests, screenshots and `npm run dev`. */
export function fake(scene: string): Backend & { actions: Action[] } {
  const actions: Action[] = [];
  let settings: Settings = {
    version: 1, voice: 'heart', tone: 'neutral', prompts: {},
    inputDevice: null, outputDevice: null, engine: { type: 'onDevice' },
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
      { id: 'm', name: 'Built-in microphone', isInput: true, isDefault: true },
      { id: 's', name: 'Built-in speaker', isInput: false, isDefault: true },
    ],
    installModels: async () => {},
    cancelInstall: async () => {},
  };
}

const catalog: Catalog = {
  voices: [
    { id: 'heart', name: 'Heart', description: 'American woman, quick', model: 'hibari' },
    { id: 'bf_emma', name: 'Emma', description: 'British woman', model: 'kokoro' },
  ],
  tones: [
    { id: 'neutral', name: 'Neutral', prompt: 'You are Vivavoce, a helpful voice assistant.' },
    { id: 'pirate', name: 'Pirate', prompt: 'You are Vivavoce, a cheerful old pirate.' },
  ],
};

const item = (id: string, position: number, speaker: 'user' | 'assistant', text: string, more: Partial<ItemView> = {}): ItemView => ({
  id, position, speaker, text, heardChars: null, state: 'final', ...more,
});

const model = (id: string, name: string, state: ModelView['state'], required = true): ModelView => ({
  id, name, role: 'writes the answers', licence: 'Apache-2.0', downloadBytes: 477_600_000, required, state,
});

const status = (more: Partial<StatusView>): StatusView => ({
  phase: 'live', agent: 'listening', micOpen: true, muted: false, userSpeaking: false, loading: null, ...more,
});

const talk: ItemView[] = [
  item('1', 0, 'user', 'What is the biggest planet in the solar system?'),
  item('2', 1, 'assistant', 'The biggest planet in the solar system is Jupiter. It is eleven times as wide as the Earth.', {
    state: 'interrupted', heardChars: 50,
  }),
  item('3', 2, 'user', 'And how many moons does it have?'),
];

const installed = [model('qwen-0.5b', 'Qwen2.5 0.5B', { type: 'installed' })];
const snapshot = (more: Partial<StatusView>, rest: Partial<Snapshot['view']> = {}, models = installed): Snapshot => ({
  view: { status: status(more), items: talk, notices: [], latency: null, voiceDelays: { bf_emma: 1240 }, ...rest },
  models,
});

export const scenes: Record<string, Snapshot> = {
  idle: snapshot({ phase: 'idle', agent: 'idle', micOpen: false }, { items: [] }),
  listening: snapshot({}, { latency: { endOfTurnMs: 310, responseMs: 320, firstAudioMs: 880, firstHeardMs: 910 } }),
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
  failure: snapshot({ phase: 'idle', agent: 'idle', micOpen: false }, {
    notices: [{ id: 'microphone', severity: 'error', action: 'chooseDevice', text: 'No microphone was found. You can still type.' }],
  }),
};
