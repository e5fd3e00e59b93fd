import type { Pool } from '@/api';
import type { Tone } from '@/ui/status';

/** One verdict per pool: whether it is meant to serve, then whether it can. */
export function poolStatus({ status, health }: Pick<Pool, 'status' | 'health'>): {
  tone: Tone;
  label: string;
} {
  if (status === 'disabled') return { tone: 'idle', label: 'Disabled' };
  if (status === 'archived') return { tone: 'idle', label: 'Archived' };
  switch (health.verdict) {
    case 'ok':
      return { tone: 'ok', label: 'Serving' };
    case 'degraded':
      return { tone: 'warn', label: 'Degraded' };
    case 'down':
      return { tone: 'bad', label: 'No capacity' };
    case 'empty':
      return { tone: 'idle', label: 'Empty' };
  }
}

export const STRATEGIES: Record<Pool['strategy'], { label: string; detail: string }> = {
  capacity_weighted: {
    label: 'Capacity weighted',
    detail: 'Spreads requests by how much each account has left.',
  },
  bridge_ring: {
    label: 'Bridge ring',
    detail: 'Keeps a session on one account, and moves few when accounts come and go.',
  },
  deterministic_rotation: {
    label: 'Rotation',
    detail: 'Takes the accounts in turn.',
  },
  least_recent_success: {
    label: 'Least recent success',
    detail: 'Prefers the account whose last served request is longest ago.',
  },
  quota_first: {
    label: 'Most quota first',
    detail: 'Prefers the account with the most of its quota left.',
  },
  soonest_reset: {
    label: 'Soonest reset',
    detail: 'Uses up what is renewed first.',
  },
  fill_first: {
    label: 'Fill first',
    detail: 'Uses one account up before it turns to the next.',
  },
};

const URGENCY: Record<Tone, number> = { bad: 0, warn: 1, info: 2, ok: 2, idle: 3 };

/** What needs an operator first, then by name. */
export function byUrgency(a: Pool, b: Pool): number {
  return URGENCY[poolStatus(a).tone] - URGENCY[poolStatus(b).tone] || a.name.localeCompare(b.name);
}
