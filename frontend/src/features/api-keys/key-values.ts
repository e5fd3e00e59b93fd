import type {
  ApiKey,
  ApiKeyPatch,
  EnforcementPatch,
  KeyLimits,
  LimitConsumption,
  ModelLimits,
  Reasoning,
} from '@/api';
import { amountText, parseAmount } from '@/lib/amounts';

export type Expiry = 'never' | '7' | '30' | '90' | '365';

export const EXPIRY_OPTIONS: { value: Expiry; label: string }[] = [
  { value: 'never', label: 'Never' },
  { value: '7', label: 'In 7 days' },
  { value: '30', label: 'In 30 days' },
  { value: '90', label: 'In 90 days' },
  { value: '365', label: 'In a year' },
];

const DAY_MS = 86_400_000;

/** The moment a choice stands for; null is never. */
export function expiresAt(expiry: Expiry, now: number): string | null {
  return expiry === 'never' ? null : new Date(now + Number(expiry) * DAY_MS).toISOString();
}

/** 'a, b a' as a list without repetitions. */
export function listOf(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((name) => name !== ''))];
}

export type WindowLimit = LimitConsumption['limit'];
export type LimitName = keyof KeyLimits;

const METRICS = { requests: 'Requests', tokens: 'Tokens', cost_usd: 'Cost, $' } as const;
const WINDOWS = ['minute', 'day', 'week', 'month'] as const;

/** The limits over windows as a grid: a row per metric, a column per window. Money is not limited by the minute. */
export const LIMIT_GRID: { metric: string; limits: { name: WindowLimit; window: string }[] }[] =
  Object.entries(METRICS).map(([key, metric]) => ({
    metric,
    limits: WINDOWS.filter((window) => key !== 'cost_usd' || window !== 'minute').map((window) => ({
      name: `max_${key}_per_${window}` as WindowLimit,
      window,
    })),
  }));

const WINDOW_LIMITS = LIMIT_GRID.flatMap(({ limits }) => limits.map(({ name }) => name));

/** What holds for every model. */
export const REQUEST_LIMITS: { name: LimitName; label: string }[] = [
  { name: 'max_concurrent_requests', label: 'Running at once' },
  { name: 'max_input_tokens_per_request', label: 'Input tokens each' },
  { name: 'max_output_tokens_per_request', label: 'Output tokens each' },
];

const KEY_LIMITS: LimitName[] = [...WINDOW_LIMITS, ...REQUEST_LIMITS.map(({ name }) => name)];

export function isMoney(name: LimitName): boolean {
  return name.includes('cost_usd');
}

/** 'Tokens per day', 'Cost per month'. */
export function limitLabel(name: LimitName): string {
  const [, metric = '', window = ''] = /^max_(\w+)_per_(\w+)$/.exec(name) ?? [];
  return `${metric === 'cost_usd' ? 'Cost' : metric.charAt(0).toUpperCase() + metric.slice(1)} per ${window}`;
}

export type LimitTexts<Name extends string = LimitName> = Record<Name, string>;

/** What the form of a key holds: text as it is typed. */
export interface KeyDraft {
  name: string;
  notes: string;
  modelsMode: ApiKey['models']['mode'];
  models: string;
  enforcedModel: string;
  reasoningMode: Reasoning['mode'];
  effort: string;
  tier: string;
  limits: LimitTexts;
  perModel: { model: string; limits: LimitTexts<WindowLimit> }[];
  networks: string;
}

export const UNCHANGED = 'as-asked';

/** The form's contents for a key, or for a new one. */
export function draftOf(key: ApiKey | undefined): KeyDraft {
  const { enforcement, limits, models } = key ?? {};
  return {
    name: key?.name ?? '',
    notes: key?.notes ?? '',
    modelsMode: models?.mode ?? 'all',
    models: models?.ids.join(', ') ?? '',
    enforcedModel: enforcement?.model ?? '',
    reasoningMode: enforcement?.reasoning.mode ?? 'unrestricted',
    effort: enforcement?.reasoning.effort ?? 'high',
    tier: enforcement?.service_tier ?? UNCHANGED,
    limits: texts(KEY_LIMITS, limits?.default),
    perModel: Object.entries(limits?.per_model ?? {}).map(([model, own]) => ({
      model,
      limits: texts(WINDOW_LIMITS, own),
    })),
    networks: (key?.allowed_networks ?? []).join('\n'),
  };
}

export function emptyModelLimits(): LimitTexts<WindowLimit> {
  return texts(WINDOW_LIMITS, undefined);
}

function texts<Name extends LimitName>(
  names: readonly Name[],
  values: Partial<Record<Name, number | string | null>> | undefined,
): LimitTexts<Name> {
  return Object.fromEntries(
    names.map((name) => [name, limitText(values?.[name] ?? null)]),
  ) as LimitTexts<Name>;
}

function limitText(value: number | string | null): string {
  if (value === null) return '';
  return typeof value === 'number' ? amountText(value) : String(Number(value));
}

/** What is wrong with a limit as it is typed; undefined when nothing is. */
export function limitProblem(name: LimitName, text: string): string | undefined {
  if (text.trim() === '') return undefined;
  if (isMoney(name))
    return MONEY.test(text.trim()) && Number(text) > 0 ? undefined : 'Dollars, such as 12.50';
  const amount = parseAmount(text);
  return amount !== null && amount > 0 ? undefined : 'A number, such as 500 or 20M';
}

const MONEY = /^\d+(\.\d{1,6})?$/;

function limitsFrom<Name extends LimitName>(
  draft: LimitTexts<Name>,
  before: LimitTexts<Name> | undefined,
): Record<string, number | string | null> | undefined {
  const changed = (Object.keys(draft) as Name[]).filter(
    (name) => draft[name].trim() !== (before?.[name] ?? ''),
  );
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map((name) => [name, limitFrom(name, draft[name].trim())]));
}

function limitFrom(name: LimitName, text: string): number | string | null {
  if (text === '') return null;
  return isMoney(name) ? text : parseAmount(text);
}

/** Only what differs, as the server takes it; null takes something away. */
export function changesOf(before: KeyDraft, after: KeyDraft): ApiKeyPatch {
  const differs = (...names: (keyof KeyDraft)[]) => names.some((name) => before[name] !== after[name]);
  const enforcement = enforcementChanges(before, after);
  const general = limitsFrom(after.limits, before.limits);
  const perModel = modelLimitChanges(before.perModel, after.perModel);
  return {
    ...(differs('name') ? { name: after.name } : {}),
    ...(differs('notes') ? { notes: after.notes.trim() || null } : {}),
    ...(differs('modelsMode', 'models') ? { models: modelsFrom(after) } : {}),
    ...(enforcement ? { enforcement } : {}),
    ...(general || perModel
      ? { limits: { ...(general ? { default: general } : {}), ...(perModel ? { per_model: perModel } : {}) } }
      : {}),
    ...(differs('networks') ? { allowed_networks: nonEmpty(listOf(after.networks)) } : {}),
  };
}

function modelsFrom({ modelsMode, models }: KeyDraft): NonNullable<ApiKeyPatch['models']> {
  return { mode: modelsMode, ids: modelsMode === 'selected' ? listOf(models) : [] };
}

function enforcementChanges(before: KeyDraft, after: KeyDraft): EnforcementPatch | undefined {
  const model = after.enforcedModel.trim();
  const reasoning = reasoningFrom(after);
  const changes: EnforcementPatch = {
    ...(model === before.enforcedModel ? {} : { model: model || null }),
    ...(JSON.stringify(reasoning) === JSON.stringify(reasoningFrom(before)) ? {} : { reasoning }),
    ...(after.tier === before.tier ? {} : { service_tier: tierFrom(after.tier) }),
  };
  return Object.keys(changes).length > 0 ? changes : undefined;
}

function reasoningFrom({ reasoningMode, effort }: KeyDraft): Reasoning {
  return {
    mode: reasoningMode,
    effort: reasoningMode === 'unrestricted' ? null : (effort as Reasoning['effort']),
  };
}

function tierFrom(tier: string): NonNullable<ApiKey['enforcement']>['service_tier'] {
  return tier === UNCHANGED ? null : (tier as ApiKey['enforcement']['service_tier']);
}

function modelLimitChanges(
  before: KeyDraft['perModel'],
  after: KeyDraft['perModel'],
): Record<string, ModelLimits | null> | undefined {
  const named = after
    .map((entry) => ({ ...entry, model: entry.model.trim() }))
    .filter(({ model }) => model !== '');
  const changes: Record<string, unknown> = {};
  for (const { model } of before) if (!named.some((entry) => entry.model === model)) changes[model] = null;
  for (const { model, limits } of named) {
    const own = limitsFrom(limits, before.find((entry) => entry.model === model)?.limits);
    if (own) changes[model] = own;
  }
  return Object.keys(changes).length > 0 ? (changes as Record<string, ModelLimits | null>) : undefined;
}

function nonEmpty(list: string[]): string[] | null {
  return list.length === 0 ? null : list;
}

export function hasPolicy({ modelsMode, enforcedModel, reasoningMode, tier }: KeyDraft): boolean {
  return (
    modelsMode !== 'all' || enforcedModel !== '' || reasoningMode !== 'unrestricted' || tier !== UNCHANGED
  );
}

export function countLimits({ limits, perModel }: KeyDraft): number {
  const all = [limits, ...perModel.map((entry) => entry.limits)];
  return all.flatMap((texts) => Object.values<string>(texts)).filter((text) => text.trim() !== '').length;
}

export const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max', 'ultra'] as const;
export const TIERS = ['auto', 'default', 'flex', 'priority', 'scale'] as const;
