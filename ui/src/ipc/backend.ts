import type { Action, Catalog, ChannelMessage, DeviceChoice, Settings } from './types';

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
}
