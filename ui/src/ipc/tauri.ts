import { Channel, invoke } from '@tauri-apps/api/core';
import type { Backend } from './backend';
import type { ChannelMessage } from './types';

export const tauri: Backend = {
  subscribe: (onMessage) => invoke('subscribe', { channel: new Channel<ChannelMessage>(onMessage) }),
  act: (action) => invoke('act', { action }),
  settings: () => invoke('settings'),
  applySettings: (settings) => invoke('apply_settings', { settings }),
  catalog: () => invoke('catalog'),
  devices: () => invoke('devices'),
  installModels: (ids) => invoke('install_models', { ids }),
  cancelInstall: () => invoke('cancel_install'),
  checkSound: () => invoke('check_sound'),
  endSoundCheck: () => invoke('end_sound_check'),
  keyState: (account) => invoke('key_state', { account }),
  setKey: (account, key, keep) => invoke('set_key', { account, key, keep }),
  clearKey: (account) => invoke('clear_key', { account }),
  probeServer: () => invoke('probe_server'),
};
