// Written from the Rust types by `cargo xtask ui --types`; a test compares them.

export type Action = { "type": "startTalk" } | { "type": "stopTalk" } | { "type": "interrupt" } | { "type": "setMuted", 
/**
 * Whether nothing is to be heard.
 */
muted: boolean, } | { "type": "pressTalk" } | { "type": "releaseTalk" } | { "type": "toggleTalk" } | { "type": "sendText", 
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

export type Catalog = { voices: Array<VoiceChoice>, tones: Array<ToneChoice>, providers: Array<ProviderChoice>, };

export type ChannelMessage = { "type": "snapshot", snapshot: Snapshot, } | { "type": "event", event: ViewEvent, };

export type Check = { 
/**
 * What, in words.
 */
what: string, 
/**
 * What became of it.
 */
verdict: Verdict, 
/**
 * What was seen.
 */
seen: string, };

export type CommandError = { message: string, };

export type DeviceChoice = { id: string, name: string, isInput: boolean, isDefault: boolean, channels: number, };

export type EchoChoice = "fullDuplex" | "halfDuplex" | "headphones";

export type EchoState = "learning" | "good" | "leaking" | "deaf";

export type EchoView = { 
/**
 * How far it is.
 */
state: EchoState, 
/**
 * By how much the echo is made softer.
 */
softerDb: number | null, 
/**
 * Between what was handed to the device and its echo.
 */
delayMs: number | null, };

export type EngineChoice = { "type": "onDevice" } | { "type": "server", 
/**
 * `ws://` or `wss://`.
 */
url: string, 
/**
 * Which kind of server, by its profile's name; it is also the name of its key.
 */
provider: string, 
/**
 * Model to ask for; the profile's where none is chosen.
 */
model: string | null, 
/**
 * Whether to send and ask for telephone quality, an eighth of the bytes.
 */
lowBandwidth: boolean, } | { "type": "stitched", 
/**
 * Writes down what the user says.
 */
ears: StageChoice, 
/**
 * Answers.
 */
mind: StageChoice, 
/**
 * Reads the answer aloud.
 */
mouth: StageChoice, };

export type FindingView = { 
/**
 * Of what.
 */
what: string, 
/**
 * How good.
 */
grade: Grade, 
/**
 * What was measured, and what helps.
 */
words: string, };

export type FoundProfile = { 
/**
 * How it wants to be spoken to, by the dialect's name.
 */
dialect: string | null, 
/**
 * Whether `semantic_vad` is known.
 */
semanticVad: boolean, 
/**
 * Whether `conversation.item.truncate` is understood.
 */
supportsTruncate: boolean, 
/**
 * Whether `response.cancel` is understood.
 */
supportsCancel: boolean, 
/**
 * Whether a cancelled response ends with `response.done`.
 */
supportsCancelDone: boolean, 
/**
 * Whether `response.create` may stand beside the conversation.
 */
supportsOutOfBand: boolean, 
/**
 * Frames per second that it takes.
 */
inRate: number, };

export type Grade = "good" | "fair" | "bad";

export type InterruptChoice = "atOnce" | "withWords" | "onlyKey";

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

export type KeyKeep = "keychain" | "thisRun";

export type KeyKept = "keychain" | "thisRun" | "environment";

export type KeyState = { "type": "missing" } | { "type": "present", 
/**
 * Its last four characters; empty for a short one.
 */
last4: string, 
/**
 * Where it comes from.
 */
kept: KeyKept, } | { "type": "rejected", 
/**
 * Its last four characters; empty for a short one.
 */
last4: string, } | { "type": "unavailable", 
/**
 * Why, in words.
 */
words: string, };

export type LatencyView = { 
/**
 * Until it was decided that the turn is over.
 */
endOfTurnMs: number, 
/**
 * Until the turn was an item of the conversation.
 */
commitMs: number | null, 
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
firstHeardMs: number, 
/**
 * Of `first_heard_ms` over the conversation: half of the turns were no slower.
 */
p50Ms: number, 
/**
 * Of `first_heard_ms` over the conversation: 95 of 100 turns were no slower.
 */
p95Ms: number, 
/**
 * Turns measured.
 */
turns: number, };

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

export type NoticeAction = "retry" | "installModels" | "chooseDevice" | "openSettings" | "checkSound" | "dismiss";

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

export type ProbeReport = { 
/**
 * In the order they were tried.
 */
checks: Array<Check>, 
/**
 * What a conversation with this server goes by; none if there can be none.
 */
found: FoundProfile | null, };

export type ProviderChoice = { id: string, name: string, 
/**
 * To begin with; `<…>` is to be filled in.
 */
url: string, model: string | null, 
/**
 * None where any name goes.
 */
voices: Array<string>, needsKey: boolean, 
/**
 * The variable that the key is read from, too.
 */
variable: string, };

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
 * Voices of other servers, by the server's kind.
 */
voices: { [key: string]: string }, 
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
 * Channels of microphones with many, from 1, by the microphones' ids; all are mixed where none is named.
 */
inputChannels: { [key: string]: number }, 
/**
 * Which engine answers.
 */
engine: EngineChoice, 
/**
 * Who finds the end of a turn.
 */
turns: TurnChoice, 
/**
 * How the microphone is kept from hearing the speaker.
 */
echo: EchoChoice, 
/**
 * The same for speakers where it was chosen otherwise, by what the system calls them.
 */
echoBySpeaker: { [key: string]: EchoChoice }, 
/**
 * What ends an answer that is spoken.
 */
interrupt: InterruptChoice, 
/**
 * Talk key anywhere on the desktop, as `Ctrl+Alt+Space`; none where it is not wanted.
 */
shortcut: string | null, 
/**
 * What the user speaks, by its ISO-639-1 code, for servers that write it down; they find out where none is chosen.
 */
language: string | null, 
/**
 * Minutes after which a talk with a server ends in which nobody says anything; 0 for never.
 */
quietMinutes: number, 
/**
 * What is known of servers by their addresses, from probes.
 */
found: { [key: string]: FoundProfile }, };

export type Severity = "info" | "warning" | "error";

export type Snapshot = { view: View, models: Array<ModelView>, };

export type SoundCheckStage = { "type": "preparing" } | { "type": "quiet" } | { "type": "alone" } | { "type": "over" } | { "type": "done" } | { "type": "failed", 
/**
 * Why, as a sentence.
 */
words: string, };

export type SoundCheckView = { 
/**
 * What goes on.
 */
stage: SoundCheckStage, 
/**
 * What was found, once it is done.
 */
findings: Array<FindingView>, };

export type Speaker = "user" | "assistant";

export type StageChoice = { "type": "onDevice" } | { "type": "http" } & StageServer | { "type": "realtime" } & StageServer;

export type StageServer = { 
/**
 * `http(s)://`, up to and with `/v1`; `ws(s)://` of a Realtime server.
 */
url: string, 
/**
 * The model.
 */
model: string, 
/**
 * Voice, of the step that speaks; the server's usual one where it is empty.
 */
voice: string, 
/**
 * Name of the key in the keychain; empty for none.
 */
account: string, };

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
 * Whether the microphone is to run.
 */
micOpen: boolean, 
/**
 * Whether a microphone is being recorded from at this moment: what the stream says, not what was asked for.
 */
isRecording: boolean, 
/**
 * Whether the microphone is kept from the server.
 */
muted: boolean, 
/**
 * Whether speech is heard at this moment.
 */
userSpeaking: boolean, 
/**
 * Whether the talk key is held.
 */
talkKey: boolean, 
/**
 * What is being loaded, if anything.
 */
loading: LoadingView | null, };

export type ToneChoice = { id: string, name: string, prompt: string, };

export type ToolState = "streaming" | "waiting" | "running" | "done" | "failed" | "dropped";

export type ToolView = { 
/**
 * Stable name.
 */
id: string, 
/**
 * Its place in the conversation.
 */
position: number, 
/**
 * What its answer refers to.
 */
callId: string, 
/**
 * The tool.
 */
name: string, 
/**
 * JSON text, as far as it has come.
 */
arguments: string, 
/**
 * Where it stands.
 */
state: ToolState, 
/**
 * What the model is told.
 */
output: string | null, };

export type TurnChoice = "semantic" | "patient" | "silence" | "pushToTalk";

export type UsageView = { 
/**
 * Answers counted.
 */
responses: number, 
/**
 * Tokens read, cached ones included.
 */
inputTokens: number, 
/**
 * Of these, from the cache.
 */
cachedTokens: number, 
/**
 * Tokens written.
 */
outputTokens: number, 
/**
 * Of the last answer, in US dollars; none where the model has no price.
 */
lastUsd: number | null, 
/**
 * Of all answers and transcriptions.
 */
totalUsd: number | null, 
/**
 * Part of the total that went to writing down the user.
 */
transcriptionUsd: number, 
/**
 * What would have been paid more without the cache.
 */
savedUsd: number | null, 
/**
 * The day the prices were read.
 */
pricesAsOf: string | null, };

export type Verdict = "yes" | "no" | "unknown";

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
 * Calls of tools; their positions are among the items'.
 */
tools: Array<ToolView>, 
/**
 * What must be said.
 */
notices: Array<NoticeView>, 
/**
 * Of the last turn.
 */
latency: LatencyView | null, 
/**
 * How well the microphone is kept from hearing the speaker; none while nothing is cancelled.
 */
echo: EchoView | null, 
/**
 * The sound check that runs, or the last one; none where none was asked for.
 */
soundCheck: SoundCheckView | null, 
/**
 * What voices cost on this machine: milliseconds to the first sound of their samples, as heard so far.
 */
voiceDelays: { [key in string]: number }, 
/**
 * What the conversation has cost; none before the first answer.
 */
usage: UsageView | null, };

export type ViewEvent = { "type": "status", 
/**
 * New state.
 */
status: StatusView, } | { "type": "item", 
/**
 * The item.
 */
item: ItemView, } | { "type": "tool", 
/**
 * The call.
 */
tool: ToolView, } | { "type": "usage", 
/**
 * The sum.
 */
usage: UsageView, } | { "type": "echo", 
/**
 * As measured in the last half second.
 */
echo: EchoView | null, } | { "type": "soundCheck", 
/**
 * As far as it has come.
 */
check: SoundCheckView | null, } | { "type": "itemRemoved", 
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
