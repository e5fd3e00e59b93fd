import type { ClientConfig } from '@/api';
import { CLIENT_CONFIGS } from './client-configs.gen';

const WRITTEN_FOR = 'https://pooler.example.com';

/** What the server offers to paste, for an instance at an address. */
export function clientConfigs(origin: string): ClientConfig[] {
  return JSON.parse(JSON.stringify(CLIENT_CONFIGS).replaceAll(WRITTEN_FOR, origin));
}
