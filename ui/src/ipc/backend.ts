import type { Action, Catalog, ChannelMessage, DeviceChoice, KeyKeep, KeyState, ProbeReport, Settings } from './types';

/** All that the page can ask of the program; the program answers over one channel. */
export interface Backend {
  subscribe(onMessage: (message: ChannelMessage) => void): Promise<void>;
  act(action: Action): Promise<void>;
  settings(): Promise<Settings>;
  applySettings(settings: Settings): Promise<void>;
  catalog(): Promise<Catalog>;
  devices(): Promise<DeviceChoice[]>;
  installModels(ids: string[]): Promise<void>;
  cancelInstall(): Promise<void>;
  checkSound(): Promise<void>;
  endSoundCheck(): Promise<void>;
  keyState(account: string): Promise<KeyState>;
  setKey(account: string, key: string, keep: KeyKeep): Promise<KeyState>;
  clearKey(account: string): Promise<KeyState>;
  probeServer(): Promise<ProbeReport>;
}
