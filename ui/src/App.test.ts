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
