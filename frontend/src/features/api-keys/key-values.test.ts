import { createWorld } from '@mocks/world';
import { expect, it } from 'vitest';
import type { ApiKey } from '@/api';
import { changesOf, draftOf, expiresAt, type KeyDraft, limitLabel, limitProblem, listOf } from './key-values';

it.each([
  ['', []],
  [' , ', []],
  ['gpt-5.5', ['gpt-5.5']],
  ['gpt-5.5, gpt-5.5-mini gpt-5.5', ['gpt-5.5', 'gpt-5.5-mini']],
])('%j names %j', (text, names) => expect(listOf(text)).toEqual(names));

it('counts an expiry in days from now', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(expiresAt('30', now)).toBe('2026-01-31T00:00:00.000Z');
  expect(expiresAt('never', now)).toBeNull();
});

it.each([
  ['max_tokens_per_day', '', undefined],
  ['max_tokens_per_day', '20M', undefined],
  ['max_tokens_per_day', 'many', 'A number, such as 500 or 20M'],
  ['max_tokens_per_day', '0', 'A number, such as 500 or 20M'],
  ['max_cost_usd_per_month', '12.50', undefined],
  ['max_cost_usd_per_month', '0', 'Dollars, such as 12.50'],
  ['max_cost_usd_per_month', '1e3', 'Dollars, such as 12.50'],
] as const)('%s of %j: %j', (name, text, problem) => expect(limitProblem(name, text)).toBe(problem));

it('names limits in words', () => {
  expect(limitLabel('max_requests_per_minute')).toBe('Requests per minute');
  expect(limitLabel('max_cost_usd_per_month')).toBe('Cost per month');
});

const NEW = draftOf(undefined);
const LIMITED: ApiKey = limitedKey();

function limitedKey(): ApiKey {
  const [key] = createWorld(0).keys;
  if (!key) throw new Error('the mock world has keys');
  const { default: general } = key.limits;
  return {
    ...key,
    name: 'ci',
    notes: 'nightly',
    models: { mode: 'selected', ids: ['a', 'b'] },
    enforcement: { model: 'a', reasoning: { mode: 'max', effort: 'high' }, service_tier: 'flex' },
    allowed_networks: ['10.0.0.0/8'],
    limits: {
      default: { ...general, max_tokens_per_day: 20_000_000, max_cost_usd_per_month: '250.000000' },
      per_model: { a: { ...general, max_requests_per_day: 5 } },
    },
  };
}

it('changes nothing when nothing was changed', () => {
  expect(changesOf(NEW, NEW)).toEqual({});
  expect(changesOf(draftOf(LIMITED), draftOf(LIMITED))).toEqual({});
});

it.each<[change: Partial<KeyDraft>, patch: object]>([
  [{ notes: ' ' }, { notes: null }],
  [{ modelsMode: 'all' }, { models: { mode: 'all', ids: [] } }],
  [{ models: 'a' }, { models: { mode: 'selected', ids: ['a'] } }],
  [{ enforcedModel: '' }, { enforcement: { model: null } }],
  [{ reasoningMode: 'unrestricted' }, { enforcement: { reasoning: { mode: 'unrestricted', effort: null } } }],
  [{ tier: 'as-asked' }, { enforcement: { service_tier: null } }],
  [{ networks: '' }, { allowed_networks: null }],
  [{ networks: '10.0.0.0/8\n::1' }, { allowed_networks: ['10.0.0.0/8', '::1'] }],
  [{ perModel: [] }, { limits: { per_model: { a: null } } }],
  [
    { limits: { ...draftOf(LIMITED).limits, max_tokens_per_day: '', max_cost_usd_per_month: '99.5' } },
    { limits: { default: { max_tokens_per_day: null, max_cost_usd_per_month: '99.5' } } },
  ],
  [
    { perModel: [{ model: 'b', limits: { ...NEW.limits, max_requests_per_day: '1k' } }] },
    { limits: { per_model: { a: null, b: { max_requests_per_day: 1000 } } } },
  ],
])('says only what differs: %j', (change, patch) => {
  const before = draftOf(LIMITED);
  expect(changesOf(before, { ...before, ...change })).toEqual(patch);
});
