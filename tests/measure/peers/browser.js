// The stock WebSocket session of the agents package, with wavtools at microphone and speaker.
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession }
  from '/js/@openai/agents-realtime/dist/bundle/openai-realtime-agents.mjs';
import { WavRecorder, WavStreamPlayer } from '/js/wavtools/index.js';

const sampleRate = 24000;
// 20 ms; the recorder's own choice is 8192 bytes.
const chunkBytes = 960;
const url = `ws://${location.host}/v1/realtime?model=scripted`;
// In a browser only a key of this kind is taken.
const apiKey = 'ek_none';

const session = new RealtimeSession(new RealtimeAgent({ name: 'measured', instructions: 'Be brief.' }), {
  transport: new OpenAIRealtimeWebSocket({ url, apiKey }), model: 'scripted', tracingDisabled: true,
});
const player = new WavStreamPlayer({ sampleRate });
const recorder = new WavRecorder({ sampleRate });
session.on('audio', (event) => player.add16BitPCM(event.data, event.responseId));
session.on('audio_interrupted', () => player.interrupt());
session.on('error', (event) => console.error(JSON.stringify(event)));

await player.connect();
await session.connect({ apiKey, url });
await recorder.begin();
await recorder.record(({ mono }) => session.sendAudio(mono), chunkBytes);
