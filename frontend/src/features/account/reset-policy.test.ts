import { expect, it } from 'vitest';
import type { SavedResetPolicy } from '@/api';
import { policyText } from './reset-policy';

const POLICY: SavedResetPolicy = {
  auto_redeem_enabled: true,
  trigger_mode: 'blocked',
  quota_threshold_percent: 95,
  min_blocked_minutes: 60,
  keep_credits: 0,
};

it.each([
  ['off', { auto_redeem_enabled: false }, 'Spent by hand only; those that are not spent expire.'],
  ['blocked', {}, 'Spent by itself when its quota is spent, unless the window begins anew within 1h.'],
  [
    'threshold',
    { trigger_mode: 'threshold', min_blocked_minutes: 0, keep_credits: 2 },
    'Spent by itself when 95% of a window is used. The last 2 are kept.',
  ],
] satisfies [string, Partial<SavedResetPolicy>, string][])('%s', (_name, patch, expected) => {
  expect(policyText({ ...POLICY, ...patch })).toBe(expected);
});
