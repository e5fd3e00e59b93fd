import { createEmptyWorld, createWorld } from '@mocks/world';
import { expect, it } from 'vitest';
import { setUpSteps } from './getting-started';

const now = Date.parse('2026-01-01T12:00:00Z');

it('ticks off what exists, in the order it is needed', () => {
  const empty = createEmptyWorld(now);
  expect(setUpSteps(empty.pools, empty.upstreams, empty.keys).map((step) => step.done)).toEqual([
    false,
    false,
    false,
    false,
  ]);
  const busy = createWorld(now);
  const unused = busy.keys.map((key) => ({ ...key, last_used_at: null }));
  expect(setUpSteps(busy.pools, busy.upstreams, unused).map((step) => step.done)).toEqual([
    true,
    true,
    true,
    false,
  ]);
});
