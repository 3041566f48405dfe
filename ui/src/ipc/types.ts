// Written from the Rust types by `cargo xtask ui --types`; a test compares them.

export type Action = { "type": "startTalk" } | { "type": "stopTalk" } | { "type": "interrupt" } | { "type": "setMuted", 
/**
 * Whether nothing is to be heard.
 */
muted: boolean, } | { "type": "sendText", 
/**
 * What.
 */
text: string, } | { "type": "newConversation" } | { "type": "retry" } | { "type": "dismissNotice", 
/**
 * The notice.
 */
id: string, } | { "type": "previewVoice", 
/**
 * The voice's name.
 */
voice: string, };

export type AgentState = "idle" | "listening" | "thinking" | "speaking";

export type Catalog = { voices: Array<VoiceChoice>, tones: Array<ToneChoice>, };

export type ChannelMessage = { "type": "snapshot", snapshot: Snapshot, } | { "type": "event", event: ViewEvent, };

export type CommandError = { message: string, };

export type DeviceChoice = { id: string, name: string, isInput: boolean, isDefault: boolean, };

export type EngineChoice = { "type": "onDevice" } | { "type": "server", 
/**
 * `ws://` or `wss://`.
 */
url: string, };

export type ItemState = "partial" | "final" | "interrupted" | "failed";

export type ItemView = { 
/**
 * Stable name.
 */
id: string, 
/**
 * Its place in the conversation.
 */
position: number, 
/**
 * Who.
 */
speaker: Speaker, 
/**
 * What, heard or not.
 */
text: string, 
/**
 * Characters of `text` that were heard, where it was cut.
 */
heardChars: number | null, 
/**
 * Where it stands.
 */
state: ItemState, };

export type LatencyView = { 
/**
 * Until the server took the turn.
 */
endOfTurnMs: number, 
/**
 * Until the response began.
 */
responseMs: number | null, 
/**
 * Until its first audio arrived.
 */
firstAudioMs: number | null, 
/**
 * Until its first audio left the program for the speaker.
 */
firstHeardMs: number, };

export type LoadingView = { 
/**
 * What, in words.
 */
what: string, 
/**
 * Parts loaded.
 */
done: number, 
/**
 * Parts in all.
 */
total: number, };

export type ModelState = { "type": "missing" } | { "type": "downloading", 
/**
 * Bytes here.
 */
doneBytes: number, } | { "type": "unpacking" } | { "type": "installed" } | { "type": "broken", 
/**
 * What is wrong, in words.
 */
message: string, };

export type ModelView = { 
/**
 * Stable name.
 */
id: string, 
/**
 * What it is.
 */
name: string, 
/**
 * What it is for.
 */
role: string, 
/**
 * Of the weights.
 */
licence: string, 
/**
 * Bytes to fetch.
 */
downloadBytes: number, 
/**
 * Whether a conversation needs it.
 */
required: boolean, 
/**
 * Where it stands.
 */
state: ModelState, };

export type NoticeAction = "retry" | "installModels" | "chooseDevice" | "dismiss";

export type NoticeView = { 
/**
 * Stable name; a second notice of that name replaces the first.
 */
id: string, 
/**
 * How bad.
 */
severity: Severity, 
/**
 * In words a person understands.
 */
text: string, 
/**
 * What helps.
 */
action: NoticeAction, };

export type Phase = "idle" | "connecting" | "configuring" | "live" | "reconnecting";

export type Settings = { 
/**
 * Layout of the file.
 */
version: number, 
/**
 * Voice by name.
 */
voice: string, 
/**
 * Tone by name.
 */
tone: string, 
/**
 * System prompts that the user has changed, by tone.
 */
prompts: { [key: string]: string }, 
/**
 * Microphone by id, the system's where none is chosen.
 */
inputDevice: string | null, 
/**
 * Speaker by id, the system's where none is chosen.
 */
outputDevice: string | null, 
/**
 * Which engine answers.
 */
engine: EngineChoice, };

export type Severity = "info" | "warning" | "error";

export type Snapshot = { view: View, models: Array<ModelView>, };

export type Speaker = "user" | "assistant";

export type StatusView = { 
/**
 * Of the link.
 */
phase: Phase, 
/**
 * Of the assistant.
 */
agent: AgentState, 
/**
 * Whether the microphone runs.
 */
micOpen: boolean, 
/**
 * Whether the microphone is kept from the server.
 */
muted: boolean, 
/**
 * Whether speech is heard at this moment.
 */
userSpeaking: boolean, 
/**
 * What is being loaded, if anything.
 */
loading: LoadingView | null, };

export type ToneChoice = { id: string, name: string, prompt: string, };

export type View = { 
/**
 * State at a glance.
 */
status: StatusView, 
/**
 * The conversation in order.
 */
items: Array<ItemView>, 
/**
 * What must be said.
 */
notices: Array<NoticeView>, 
/**
 * Of the last turn.
 */
latency: LatencyView | null, 
/**
 * What voices cost on this machine: milliseconds to the first sound of their samples, as heard so far.
 */
voiceDelays: { [key in string]: number }, };

export type ViewEvent = { "type": "status", 
/**
 * New state.
 */
status: StatusView, } | { "type": "item", 
/**
 * The item.
 */
item: ItemView, } | { "type": "itemRemoved", 
/**
 * The item.
 */
id: string, } | { "type": "cleared" } | { "type": "notice", 
/**
 * The notice.
 */
notice: NoticeView, } | { "type": "noticeGone", 
/**
 * The notice.
 */
id: string, } | { "type": "latency", 
/**
 * The measure.
 */
latency: LatencyView, } | { "type": "voiceDelay", 
/**
 * The voice.
 */
voice: string, 
/**
 * To its first sound.
 */
ms: number, } | { "type": "model", 
/**
 * The model.
 */
model: ModelView, } | { "type": "level", 
/**
 * Microphone, dB below full scale.
 */
inputDbfs: number, 
/**
 * Speaker, dB below full scale.
 */
outputDbfs: number, };

export type VoiceChoice = { id: string, name: string, description: string, 
/**
 * The model it needs.
 */
model: string, };
