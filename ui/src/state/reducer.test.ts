import { expect, test } from 'vitest';
import { scenes } from '../ipc/fake';
import type { ItemView } from '../ipc/types';
import { empty, reduce } from './reducer';

const item = (id: string, position: number, text: string): ItemView => ({
  id, position, text, speaker: 'user', heardChars: null, state: 'partial',
});

test('showing an event twice is showing it once', () => {
  const event = { type: 'event', event: { type: 'item', item: item('a', 0, 'Hi') } } as const;
  const once = reduce(empty, event);
  expect(reduce(once, event)).toEqual(once);
});

test('items stand in the order of the conversation, not of arrival', () => {
  const late = reduce(empty, { type: 'event', event: { type: 'item', item: item('b', 1, 'second') } });
  const both = reduce(late, { type: 'event', event: { type: 'item', item: item('a', 0, 'first') } });
  expect(both.items.map((i) => i.id)).toEqual(['a', 'b']);
});

test('the delay of a voice is kept beside the others', () => {
  const first = reduce(empty, { type: 'event', event: { type: 'voiceDelay', voice: 'heart', ms: 120 } });
  const both = reduce(first, { type: 'event', event: { type: 'voiceDelay', voice: 'bf_emma', ms: 1200 } });
  expect(both.voiceDelays).toEqual({ heart: 120, bf_emma: 1200 });
});

test('a snapshot replaces everything', () => {
  const before = reduce(empty, { type: 'event', event: { type: 'item', item: item('old', 0, 'gone') } });
  const after = reduce(before, { type: 'snapshot', snapshot: scenes.listening! });
  expect(after.items.map((i) => i.id)).toEqual(['1', '2', '3']);
});
