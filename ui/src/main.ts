import { mount } from 'svelte';
import App from './App.svelte';
import type { Backend } from './ipc/backend';
import './styles/tokens.css';
import './styles/app.css';

const inApp = '__TAURI_INTERNALS__' in window;
const backend: Backend = inApp
  ? (await import('./ipc/tauri')).tauri
  : (await import('./ipc/fake')).fake(new URLSearchParams(location.search).get('scene') ?? 'listening');

const target = document.getElementById('app');
if (target) mount(App, { target, props: { backend } });
