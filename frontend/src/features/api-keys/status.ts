import type { ApiKey, LimitConsumption } from '@/api';
import type { Tone } from '@/ui/status';

export const KEY_STATUS: Record<ApiKey['status'], { tone: Tone; label: string }> = {
  active: { tone: 'ok', label: 'Active' },
  paused: { tone: 'idle', label: 'Paused' },
  expired: { tone: 'warn', label: 'Expired' },
  revoked: { tone: 'idle', label: 'Revoked' },
};

const ORDER: Record<ApiKey['status'], number> = { expired: 0, active: 1, paused: 2, revoked: 3 };

/** What needs an operator first, what is over last, then by name. */
export function byUrgency(a: ApiKey, b: ApiKey): number {
  return ORDER[a.status] - ORDER[b.status] || a.name.localeCompare(b.name);
}

/** Whether an action may be taken now, and why not, as the server sees it. */
export function actionOf(
  { allowed_actions }: Pick<ApiKey, 'allowed_actions'>,
  action: string,
): { enabled: boolean; reason: string | null } {
  return allowed_actions.find((entry) => entry.action === action) ?? { enabled: false, reason: null };
}

/** The limit that is used up furthest, if there is one. */
export function nearestLimit({ consumption }: Pick<ApiKey, 'consumption'>): LimitConsumption | undefined {
  return byUse(consumption)[0];
}

export function byUse(consumption: readonly LimitConsumption[]): LimitConsumption[] {
  return consumption.toSorted((a, b) => b.percent - a.percent);
}

/** 'All models', or their names. */
export function modelsText({ models }: Pick<ApiKey, 'models'>): string {
  if (models.mode === 'all') return 'All models';
  return models.ids.length === 0 ? 'No model' : models.ids.join(', ');
}
