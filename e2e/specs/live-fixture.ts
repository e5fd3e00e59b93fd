import { test as base } from '@playwright/test';
import { type LiveInstance, startInstance } from '../live-instance';

/** A test against the real thing: one fresh instance for each worker, in front of the simulated backend. */
export const test = base.extend<object, { live: LiveInstance }>({
  live: [
    // biome-ignore lint/correctness/noEmptyPattern: the runner reads the fixtures a fixture needs from this pattern
    async ({}, use) => {
      const live = await startInstance();
      await use(live);
      await live.stop();
    },
    { scope: 'worker', timeout: 180_000 },
  ],
});
