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

const URGENCY: Record<Tone, number> = { bad: 0, warn: 1, info: 2, ok: 2, idle: 3 };

/** What needs an operator first, then by name. */
export function byUrgency(a: Pool, b: Pool): number {
  return URGENCY[poolStatus(a).tone] - URGENCY[poolStatus(b).tone] || a.name.localeCompare(b.name);
}
