import type { SavedResets, Upstream } from '@/api';
import { Random } from './random';
import { DAY, HOUR, iso } from './time';

type Redemption = SavedResets['redemptions'][number];

/** An account of which the provider has told nothing. */
export const NO_RESETS: SavedResets = {
  available: null,
  next_expires_at: null,
  awaiting_confirmation: false,
  checked_at: null,
  redeem_refusal: 'The backend has not told how many there are.',
  policy: {
    auto_redeem_enabled: false,
    trigger_mode: 'blocked',
    quota_threshold_percent: 95,
    min_blocked_minutes: 60,
    keep_credits: 0,
  },
  items: [],
  redemptions: [],
};

export function briefOf({
  available,
  next_expires_at,
  policy,
  awaiting_confirmation,
}: SavedResets): Upstream['saved_resets'] {
  return { available, next_expires_at, policy, awaiting_confirmation };
}

/** The lists behind the numbers of the accounts, with a past for those that have any. */
export function createResets(now: number, upstreams: readonly Upstream[]): Record<string, SavedResets> {
  return Object.fromEntries(upstreams.map((upstream, i) => [upstream.id, resetsOf(upstream, i, now)]));
}

function resetsOf({ saved_resets: { available } }: Upstream, index: number, now: number): SavedResets {
  if (available === null) return NO_RESETS;
  const random = new Random(index + 100);
  const items = Array.from({ length: available }, (_, i): SavedResets['items'][number] => ({
    id: random.hex(12),
    state: 'available',
    banked_at: iso(now - (18 - 3 * i) * DAY),
    first_seen_at: iso(now - (18 - 3 * i) * DAY),
    expires_at: iso(now + (3 + 9 * i) * DAY),
  }));
  const past = (state: Redemption['state'], trigger: Redemption['trigger'], days: number): Redemption => ({
    id: random.uuid(),
    reset_id: random.hex(12),
    state,
    trigger,
    outcome: state === 'not_applied' ? 'nothing_to_reset' : 'applied',
    windows_reset: state === 'confirmed' ? 2 : null,
    attempts: 1,
    created_at: iso(now - days * DAY),
    applied_at: state === 'not_applied' ? null : iso(now - days * DAY),
    finished_at: iso(now - days * DAY + HOUR),
  });
  return {
    ...NO_RESETS,
    available,
    next_expires_at: items[0]?.expires_at ?? null,
    checked_at: iso(now - 4 * 60_000),
    redeem_refusal: available === 0 ? 'There is none.' : null,
    policy: {
      ...NO_RESETS.policy,
      auto_redeem_enabled: available === 2,
      keep_credits: available === 2 ? 1 : 0,
    },
    items,
    redemptions:
      available === 2
        ? [
            past('confirmed', 'blocked', 6),
            past('confirmation_expired', 'expiry', 16),
            past('not_applied', 'manual', 20),
          ]
        : [],
  };
}
