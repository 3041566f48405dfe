// Drives a server with the stock transport of the agents package: talk.mjs PORT TOKEN. Run with the working folder where
// the packages are installed.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [port, apiKey, packages] = process.argv.slice(2);
const resolve = (name) => pathToFileURL(createRequire(join(packages, 'package.json')).resolve(name));
const { RealtimeAgent, RealtimeSession, OpenAIRealtimeWebSocket, tool } = await import(resolve('@openai/agents-realtime'));
const { z } = await import(resolve('zod'));

const model = 'vivavoce-on-device';
const url = `ws://127.0.0.1:${port}/v1/realtime?model=${model}`;
const ran = [];
const weather = tool({
  name: 'get_weather', description: 'Weather for a city.', parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => { ran.push(city); return JSON.stringify({ city, temp_c: 7 }); },
});
const agent = new RealtimeAgent({ name: 'ci', instructions: 'Be brief.', tools: [weather] });
const transport = new OpenAIRealtimeWebSocket({ url, apiKey });
const format = { type: 'audio/pcm', rate: 24000 };
const session = new RealtimeSession(agent, {
  transport, model, tracingDisabled: true,
  config: {
    outputModalities: ['audio'],
    audio: { input: { format, transcription: { model: 'whisper-1' }, turnDetection: null }, output: { format } },
  },
});
const events = [], errors = [], rejected = [];
let audioBytes = 0, interrupted = 0;
session.on('transport_event', (e) => events.push(e));
session.on('error', (e) => errors.push(e));
session.on('audio', (e) => { audioBytes += e.data.byteLength; });
session.on('audio_interrupted', () => { interrupted++; });
// The package passes over what its own schema refuses without a word: here it is heard.
const { realtimeServerEventSchema: schema } = await import(new URL('./openaiRealtimeEvents.mjs', resolve('@openai/agents-realtime')));
transport.on('*', (e) => {
  const read = schema.safeParse(e);
  if (!read.success && !e.type.startsWith('vivavoce.')) rejected.push({ type: e.type, issues: read.error.issues });
});

const waiting = [];
transport.on('*', () => waiting.splice(0).forEach((go) => go()));
let cursor = 0;
async function next(type, where = () => true, ms = 30_000) {
  const end = Date.now() + ms;
  for (;;) {
    while (cursor < events.length) { const e = events[cursor++]; if (e.type === type && where(e)) return e; }
    assert.deepEqual(errors, []);
    if (Date.now() > end) throw new Error(`no ${type}; there were ${events.map((e) => e.type)}; refused ${JSON.stringify(rejected)}`);
    await new Promise((go) => { waiting.push(go); setTimeout(go, 200); });
  }
}
const pcm = Int16Array.from({ length: 24000 }, (_, i) => 8000 * Math.sin(2 * Math.PI * 440 * i / 24000)).buffer;

await session.connect({ apiKey });
await next('session.updated');

session.sendMessage('Hello there.');
assert.equal((await next('response.done')).response.status, 'completed');
assert.ok(audioBytes > 0);

for (let i = 0; i < pcm.byteLength; i += 4800) session.sendAudio(pcm.slice(i, i + 4800));
transport.sendEvent({ type: 'input_audio_buffer.commit' });
const committed = await next('input_audio_buffer.committed');
transport.requestResponse();
await next('response.done');
assert.equal(session.history.find((i) => i.itemId === committed.item_id)?.role, 'user');

session.sendMessage('What is the weather in Oslo? Use the tool.');
const call = await next('response.done', (e) => e.response.output.some((o) => o.type === 'function_call'));
const answer = await next('response.done', (e) => e.response.id !== call.response.id);
assert.ok(answer.response.output.some((o) => o.type === 'message'));
assert.deepEqual(ran, ['Oslo']);

session.sendMessage('Tell me a very long story.');
const delta = await next('response.output_audio.delta');
await new Promise((r) => setTimeout(r, 150));
session.interrupt();
const done = await next('response.done', (e) => e.response.id === delta.response_id);
assert.equal(done.response.status, 'cancelled');
assert.equal(interrupted, 1);
const came = (type, id) => events.some((e) => e.type === type && id(e) === delta.item_id);
for (let n = 0; n < 100 && !came('conversation.item.truncated', (e) => e.item_id); n++) {
  await new Promise((go) => { waiting.push(go); setTimeout(go, 100); });
}
assert.ok(came('conversation.item.truncated', (e) => e.item_id));

transport.requestResponse({ output_modalities: ['text'], instructions: 'Tell me a very long story.' });
await next('response.output_text.delta');
transport.sendEvent({ type: 'response.cancel' });
assert.equal((await next('response.done')).response.status, 'cancelled');

session.close();
assert.deepEqual(errors, []);
assert.deepEqual(rejected, []);
const bad = new RealtimeSession(agent, { transport: 'websocket', model });
bad.on('error', () => {});
await assert.rejects(bad.connect({ apiKey: 'wrong', url }));
console.log('all turns were answered');
