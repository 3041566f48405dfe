import type { AgentState, NoticeAction, Phase } from './ipc/types';

/** Every word of the window. */
export const strings = {
  title: 'Vivavoce',
  agent: { idle: 'Idle', listening: 'Listening', thinking: 'Thinking', speaking: 'Speaking' } satisfies Record<AgentState, string>,
  phase: {
    idle: 'Not connected', connecting: 'Connecting', configuring: 'Connecting', live: 'Connected', reconnecting: 'Connecting again',
  } satisfies Record<Phase, string>,
  muted: 'Muted',
  hearing: 'Hearing you',
  loading: (what: string, done: number, total: number) => `Loading ${what}: ${done} of ${total}`,
  talk: 'Talk', stopTalk: 'End talk', stop: 'Stop', mute: 'Mute', unmute: 'Unmute',
  keys: { talk: 'Ctrl+Space', stop: 'Esc', mute: 'Ctrl+M' },
  typeHere: 'Type a message', send: 'Send', fresh: 'New conversation',
  voice: 'Voice', tone: 'Tone', listen: 'Preview', prompt: 'System prompt', promptSave: 'Use this prompt', promptReset: 'Back to the original',
  devices: 'Devices', microphone: 'Microphone', speaker: 'Speaker', system: 'System default',
  models: 'Models', install: 'Fetch', cancel: 'Cancel', installed: 'Installed', missing: 'Not installed', unpacking: 'Unpacking',
  of: (done: number, total: number) => `${Math.round(done / 1e6)} of ${Math.round(total / 1e6)} MB`,
  megabytes: (bytes: number) => `${Math.round(bytes / 1e6)} MB`,
  delay: (ms: number) => `speaks after ${(ms / 1000).toFixed(1)} s here`,
  needsModel: (name: string) => `${name} (fetches its model first)`,
  you: 'You', assistant: 'Vivavoce', unheard: 'not heard', failed: 'could not be written down',
  empty: 'Press Talk and speak, or type.',
  latency: (ms: number) => `Last answer after ${(ms / 1000).toFixed(1)} s`,
  latencyDetail: (turn: number, audio: number | null) => `turn taken after ${turn} ms, first audio after ${audio ?? '?'} ms`,
  notice: { retry: 'Try again', installModels: 'Fetch models', chooseDevice: 'Choose device', dismiss: 'Dismiss' } satisfies Record<NoticeAction, string>,
  close: 'Dismiss',
};
