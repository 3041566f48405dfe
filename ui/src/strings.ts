import type { AgentState, EchoChoice, EchoState, Grade, InterruptChoice, KeyKept, NoticeAction, Phase, SoundCheckStage, ToolState, TurnChoice, Verdict } from './ipc/types';

const dollars = (usd: number) => (usd < 0.01 ? `${(usd * 100).toFixed(2)} ¢` : `$${usd.toFixed(2)}`);

/** Every word of the window. */
export const strings = {
  title: 'Vivavoce',
  agent: { idle: 'Idle', listening: 'Listening', thinking: 'Thinking', speaking: 'Speaking' } satisfies Record<AgentState, string>,
  phase: {
    idle: 'Not connected', connecting: 'Connecting', configuring: 'Connecting', live: 'Connected', reconnecting: 'Connecting again',
  } satisfies Record<Phase, string>,
  muted: 'Muted',
  hearing: 'Hearing you', recording: 'Microphone on',
  loading: (what: string, done: number, total: number) => `Loading ${what}: ${done} of ${total}`,
  talk: 'Talk', stopTalk: 'End talk', stop: 'Stop', mute: 'Mute', unmute: 'Unmute',
  keys: { talk: 'Ctrl+Space', stop: 'Esc', mute: 'Ctrl+M' },
  typeHere: 'Type a message', send: 'Send', fresh: 'New conversation',
  voice: 'Voice', tone: 'Tone', listen: 'Preview', prompt: 'System prompt', promptSave: 'Use this prompt', promptReset: 'Back to the original',
  devices: 'Devices', microphone: 'Microphone', speaker: 'Speaker', system: 'System default',
  echo: 'You listen with', echoChoices: {
    fullDuplex: 'Loudspeakers (cancel the echo)', halfDuplex: 'Loudspeakers (deaf while it speaks)', headphones: 'Headphones',
  } satisfies Record<EchoChoice, string>,
  echoStates: {
    learning: () => 'Learning how the room sounds: interrupting it may take a little longer.',
    good: (db: number | null, ms: number | null) => `It hears you over itself${db ? `: its echo is ${db} dB softer` : ''}${ms ? `, after ${ms} ms` : ''}.`,
    leaking: (db: number | null) => `Some of its own voice comes through${db ? ` (${db} dB softer)` : ''}: interrupting takes a little longer. A lower volume or headphones help.`,
    deaf: () => 'It kept hearing itself, so it is deaf while it speaks: the button, Esc or the talk key interrupt it.',
  } satisfies Record<EchoState, (db: number | null, ms: number | null) => string>,
  soundCheck: 'Sound check', startCheck: 'Check the sound', playSample: 'Play a sample', channel: 'Channel', allChannels: 'All, mixed', level: 'Level', checkAgain: 'Check again', copyReport: 'Copy the report', copied: 'Copied',
  checkStages: {
    preparing: 'Loading the voice…', quiet: 'Please be quiet for a moment.', alone: 'It speaks now. Please stay quiet.',
    over: 'Now speak while it speaks: any words will do.', done: 'Done. This was found:',
  } satisfies Record<Exclude<SoundCheckStage['type'], 'failed'>, string>,
  grades: { good: 'good', fair: 'fair', bad: 'bad' } satisfies Record<Grade, string>,
  interrupt: 'Let me interrupt', interruptChoices: { atOnce: 'At once', withWords: 'With words', onlyKey: 'Only with the key' } satisfies Record<InterruptChoice, string>,
  models: 'Models', install: 'Fetch', cancel: 'Cancel', installed: 'Installed', missing: 'Not installed', unpacking: 'Unpacking',
  of: (done: number, total: number) => `${Math.round(done / 1e6)} of ${Math.round(total / 1e6)} MB`,
  megabytes: (bytes: number) => `${Math.round(bytes / 1e6)} MB`,
  delay: (ms: number) => `speaks after ${(ms / 1000).toFixed(1)} s here`,
  needsModel: (name: string) => `${name} (fetches its model first)`,
  you: 'You', assistant: 'Vivavoce', unheard: 'not heard', failed: 'could not be written down',
  empty: 'Press Talk and speak, or type.',
  latency: (ms: number) => `Last answer after ${(ms / 1000).toFixed(1)} s`,
  waterfall: 'Where the time went', spread: (p50: number, p95: number, turns: number) => `Half of ${turns} answers came within ${(p50 / 1000).toFixed(1)} s, 95 of 100 within ${(p95 / 1000).toFixed(1)} s.`,
  steps: { endOfTurnMs: 'Turn taken', commitMs: 'Words handed over', responseMs: 'Answer begun', firstAudioMs: 'First audio', firstHeardMs: 'At the speaker' },
  ms: (ms: number) => `${ms} ms`,
  cost: (total: number, saved: number | null) => `${dollars(total)} so far${saved ? `, ${dollars(saved)} saved by the cache` : ''}`,
  costDetail: (input: number, cached: number, output: number, asOf: string | null) => `${input} tokens read, ${cached} of them from the cache; ${output} written. Prices of ${asOf ?? 'no date'}.`,
  tokens: (input: number, output: number) => `${input} tokens read, ${output} written`,
  tools: { streaming: 'being written', waiting: 'waits', running: 'runs', done: 'done', failed: 'failed', dropped: 'not run' } satisfies Record<ToolState, string>,
  toolResult: 'Result',
  holdToTalk: 'Hold to talk', holding: 'Let go when you have finished',
  engine: 'Who answers', engines: { onDevice: 'This device', server: 'A Realtime server', stitched: 'Three steps (write down, answer, read aloud)' },
  provider: 'Server', address: 'Address', model: 'Model', defaultModel: 'the server’s own', lowBandwidth: 'Low bandwidth (telephone quality)',
  shortcut: 'Talk key everywhere', shortcutNone: 'as Ctrl+Alt+Space', keyDown: 'Down', keyUp: 'Up',
  language: 'You speak', anyLanguage: 'Any language',
  quiet: 'End a silent talk', quietAfter: (minutes: number) => (minutes ? `After ${minutes} minutes` : 'Never'),
  turns: 'Turns', turnChoices: { semantic: 'When you have finished', patient: 'When you have surely finished', silence: 'After a silence', pushToTalk: 'With the talk key' } satisfies Record<TurnChoice, string>,
  stages: { ears: 'Writes down', mind: 'Answers', mouth: 'Reads aloud' }, stageKinds: { onDevice: 'This device', http: 'By HTTP', realtime: 'A Realtime server' },
  key: 'Key', keyFor: (name: string) => `Key for ${name}`, keyMissing: 'None', keySave: 'Keep in the keychain', keyThisRun: 'Use for this run only', keyClear: 'Remove',
  keyPresent: (last4: string, kept: KeyKept) => `${last4 ? `…${last4}, ` : ''}${{ keychain: 'in the keychain', thisRun: 'for this run only', environment: 'from the environment' }[kept]}`,
  keyRejected: (last4: string) => `${last4 ? `…${last4} ` : ''}was rejected by the server`, keyReading: 'Asking the keychain…', keyVariable: (name: string) => `Or set ${name} before you start Vivavoce.`,
  probe: 'Test this server', probing: 'Asking a few short questions…', verdicts: { yes: 'yes', no: 'no', unknown: '?' } satisfies Record<Verdict, string>,
  notice: { retry: 'Try again', installModels: 'Fetch models', chooseDevice: 'Choose device', openSettings: 'Open settings', checkSound: 'Check the sound', dismiss: 'Dismiss' } satisfies Record<NoticeAction, string>,
  close: 'Dismiss',
};

const codes = ['ar', 'bn', 'zh', 'cs', 'da', 'nl', 'en', 'et', 'fi', 'fr', 'de', 'el', 'he', 'hi', 'hu', 'id', 'it', 'ja', 'ko', 'lv', 'lt', 'no', 'pl',
  'pt', 'ro', 'ru', 'sk', 'es', 'sv', 'th', 'tr', 'uk', 'ur', 'vi'];
const names = new Intl.DisplayNames('en', { type: 'language' });
/** What may be spoken to a server, by code and name. */
export const languages = codes.map((code) => [code, names.of(code) ?? code] as const).sort((a, b) => a[1].localeCompare(b[1]));
