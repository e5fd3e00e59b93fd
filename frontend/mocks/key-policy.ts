import type { ApiKey, ApiKeyPatch, LimitConsumption } from '@/api';

const HOUR = 3_600_000;
const RESETS_IN: Record<LimitConsumption['window'], number> = {
  minute: 0.01 * HOUR,
  day: 7 * HOUR,
  week: 52 * HOUR,
  month: 260 * HOUR,
};
const NO_LIMITS = { default: {}, per_model: {} };

/** A key after an operator's change: what the change does not name stays, null takes away. */
export function changed(key: ApiKey, patch: ApiKeyPatch, now: number): ApiKey {
  const { name, notes, expires_at, allowed_networks, allowed_models, models, enforcement } = patch;
  const limits = { ...NO_LIMITS, ...patch.limits };
  return withConsumption(
    {
      ...key,
      version: key.version + 1,
      ...(name === undefined ? {} : { name }),
      ...(notes === undefined ? {} : { notes }),
      ...(expires_at === undefined ? {} : { expires_at }),
      ...(allowed_networks === undefined ? {} : { allowed_networks }),
      ...(allowed_models === undefined ? {} : { models: modelsOf(allowed_models) }),
      ...(models === undefined ? {} : { models: { mode: models.mode, ids: models.ids ?? [] } }),
      enforcement: merged(key.enforcement, enforcement),
      limits: {
        default: merged(key.limits.default, limits.default),
        per_model: perModel(key, limits.per_model),
      },
    },
    now,
  );
}

function merged<T extends object>(before: T, patch: object | undefined): T {
  return { ...before, ...patch };
}

function perModel(key: ApiKey, patch: object): ApiKey['limits']['per_model'] {
  const models = { ...key.limits.per_model };
  for (const [model, limits] of Object.entries(patch)) {
    if (limits === null) delete models[model];
    else models[model] = merged(models[model] ?? windowsOnly(key.limits.default), limits);
  }
  return models;
}

/** The limits that a model may have of its own, all absent. */
function windowsOnly(limits: ApiKey['limits']['default']): ApiKey['limits']['per_model'][string] {
  const none = Object.keys(limits).filter((name) => name.includes('_per_') && !name.endsWith('request'));
  return Object.fromEntries(none.map((name) => [name, null])) as ApiKey['limits']['per_model'][string];
}

export function modelsOf(ids: string[] | null): ApiKey['models'] {
  if (ids === null) return { mode: 'all', ids: [] };
  return { mode: ids.length === 0 ? 'none' : 'selected', ids };
}

/** Says of every limit how far it is used up: further by the day than by the month, and nothing by an idle key. */
export function withConsumption(key: ApiKey, now: number): ApiKey {
  const groups = [[null, key.limits.default] as const, ...Object.entries(key.limits.per_model)];
  return {
    ...key,
    consumption: groups.flatMap(([model, limits]) =>
      Object.entries(limits).flatMap(([name, max]) => {
        const [, metric, window] =
          /^max_(requests|tokens|cost_usd)_per_(minute|day|week|month)$/.exec(name) ?? [];
        return metric && window && max !== null
          ? [consumptionOf(key, model, name, metric, window as LimitConsumption['window'], Number(max), now)]
          : [];
      }),
    ),
  };
}

function consumptionOf(
  key: ApiKey,
  model: string | null,
  name: string,
  metric: string,
  window: LimitConsumption['window'],
  most: number,
  now: number,
): LimitConsumption {
  const max = metric === 'cost_usd' ? most * 1_000_000 : most;
  const days = { minute: 1 / 1440, day: 0.7, week: 3, month: 11 }[window];
  const perDay = { requests: key.usage.requests, tokens: key.usage.tokens }[metric];
  const used = Math.round((perDay ?? Number(key.usage.cost_usd) * 1_000_000) * days * (model ? 0.4 : 1));
  return {
    limit: name as LimitConsumption['limit'],
    model,
    metric: metric === 'cost_usd' ? 'cost_micros' : (metric as 'requests' | 'tokens'),
    window,
    used,
    max,
    percent: Math.round((used / max) * 1000) / 10,
    resets_at: used === 0 ? null : new Date(now + RESETS_IN[window]).toISOString(),
  };
}
