import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import axe from 'axe-core';
import { expect, test } from 'vitest';
import App from './App.svelte';
import { fake, scenes } from './ipc/fake';

const open = async (scene: string) => {
  const backend = fake(scene);
  const page = render(App, { backend });
  await waitFor(() => screen.getByLabelText('Voice'));
  return { backend, ...page };
};

for (const scene of Object.keys(scenes)) {
  test(`the scene “${scene}” has no accessibility violation`, async () => {
    const { container } = await open(scene);
    // Colours and landmarks need a real browser.
    const found = await axe.run(container, { rules: { 'color-contrast': { enabled: false }, region: { enabled: false } } });
    expect(found.violations.map((v) => v.id)).toEqual([]);
  });
}

test('words that were not heard are struck out and named', async () => {
  const { container } = await open('listening');
  expect(container.querySelector('s')?.textContent).toContain('It is eleven times as wide as the Earth.');
});

test('a voice says what it costs on this machine, once it has been heard', async () => {
  await open('listening');
  expect(screen.getByRole('option', { name: /Emma.*speaks after 1.2 s here/ })).toBeTruthy();
});

test('keys talk, mute and stop', async () => {
  const { backend } = await open('speaking');
  await fireEvent.keyDown(window, { key: 'Escape' });
  await fireEvent.keyDown(window, { key: 'm', ctrlKey: true });
  await fireEvent.keyDown(window, { code: 'Space', ctrlKey: true });
  expect(backend.actions).toEqual([{ type: 'interrupt' }, { type: 'setMuted', muted: true }, { type: 'stopTalk' }]);
});

test('a changed prompt is kept for its tone and can be taken back', async () => {
  const { backend } = await open('idle');
  await fireEvent.input(screen.getByRole('textbox', { name: 'System prompt', hidden: true }), { target: { value: 'Be a cat.' } });
  await fireEvent.click(screen.getByText('Use this prompt'));
  expect((await backend.settings()).prompts).toEqual({ neutral: 'Be a cat.' });
  await fireEvent.click(screen.getByText('Back to the original'));
  expect((await backend.settings()).prompts).toEqual({});
});

test('a failure of the program is said', async () => {
  const backend = { ...fake('idle'), act: async () => Promise.reject({ message: 'The disk is full.' }) };
  render(App, { backend });
  await fireEvent.click(await screen.findByText('Talk'));
  expect((await screen.findByRole('alert')).textContent).toContain('The disk is full.');
});

test('the talk key is held and let go, by keyboard and by pointer', async () => {
  const { backend } = await open('key');
  await fireEvent.keyDown(window, { code: 'Space', ctrlKey: true });
  await fireEvent.keyDown(window, { code: 'Space', ctrlKey: true, repeat: true });
  await fireEvent.keyUp(window, { code: 'Space', ctrlKey: true });
  const button = screen.getByText(/Let go when you have finished/);
  await fireEvent.pointerDown(button);
  await fireEvent.pointerUp(button);
  expect(backend.actions.map((a) => a.type)).toEqual(['pressTalk', 'releaseTalk', 'pressTalk', 'releaseTalk']);
});

test('a key goes out once, and only its end comes back', async () => {
  const { container } = await open('server');
  const field = screen.getByLabelText<HTMLInputElement>('Key for OpenAI');
  await fireEvent.input(field, { target: { value: 'sk-secret-key-9f3c' } });
  await fireEvent.click(screen.getByText('Keep in the keychain'));
  await waitFor(() => expect(container.querySelector('[data-test=key-state]')?.textContent).toBe('…9f3c, in the keychain'));
  expect(field.value).toBe('');
  expect(container.innerHTML).not.toContain('sk-secret');
});

test('tools stand where they were called, with what has come of their arguments', async () => {
  const { container } = await open('server');
  const cards = [...container.querySelectorAll('.tool')].map((c) => c.textContent?.replace(/\s+/g, ' ').trim());
  expect(cards[0]).toContain('set_timer { "seconds": 300, "label": "tea" } done');
  expect(cards[1]).toContain('recall {"query":"moo being written');
});

test('a wrong key leads to the settings of the server', async () => {
  const { container } = await open('wrongKey');
  expect(container.querySelector('[data-test=key-state]')?.textContent).toContain('was rejected by the server');
  await fireEvent.click(screen.getByText('Open settings'));
  expect(screen.getByLabelText('Who answers').closest('details')?.open).toBe(true);
});

test('where the time went is told step by step', async () => {
  await open('listening');
  const rows = [...screen.getByLabelText('Where the time went').querySelectorAll('tr')].map((r) => r.textContent?.replace(/\s+/g, ' ').trim());
  expect(rows).toEqual(['Turn taken310 ms', 'Words handed over312 ms', 'Answer begun320 ms', 'First audio880 ms', 'At the speaker910 ms']);
});

test('a server is chosen, tried and told apart', async () => {
  const { backend } = await open('idle');
  await fireEvent.change(screen.getByLabelText('Who answers'), { target: { value: 'server' } });
  expect((await backend.settings()).engine).toMatchObject({ type: 'server', provider: 'openai', url: 'wss://api.openai.com/v1/realtime' });
  await fireEvent.click(screen.getByText('Test this server'));
  expect(await screen.findByText(/cuts to what was heard/)).toBeTruthy();
});

test('one channel of a microphone with many is chosen and kept for it', async () => {
  const { backend } = await open('idle');
  await fireEvent.change(screen.getByRole('combobox', { name: 'Channel', hidden: true }), { target: { value: '3' } });
  expect((await backend.settings()).inputChannels).toEqual({ m: 3 });
  await fireEvent.change(screen.getByRole('combobox', { name: 'Channel', hidden: true }), { target: { value: '0' } });
  expect((await backend.settings()).inputChannels).toEqual({});
});

test('how one listens is kept for the speaker in use', async () => {
  const { backend } = await open('idle');
  await fireEvent.change(screen.getByRole('combobox', { name: 'You listen with', hidden: true }), { target: { value: 'headphones' } });
  expect(await backend.settings()).toMatchObject({ echo: 'fullDuplex', echoBySpeaker: { 'Built-in speaker': 'headphones' } });
});
