import { SETTINGS_SCHEMA } from '@mocks/settings';
import { expect, it } from 'vitest';
import type { SettingRule } from '@/api';
import { patchOf, rawOf, sentence, valueAt } from './fields';

const RULES = SETTINGS_SCHEMA.groups.flatMap((group) => group.fields);

function rule(key: string): SettingRule {
  const found = RULES.find((each) => each.key === key);
  if (!found) throw new Error(`no setting ${key}`);
  return found;
}

it('finds values by their dotted key', () => {
  expect(valueAt({ bulkheads: { images: { queue_limit: 3 } } }, 'bulkheads.images.queue_limit')).toBe(3);
  expect(valueAt({ bulkheads: null }, 'bulkheads.images.queue_limit')).toBeUndefined();
});

it.each([
  ['store_client_ip', true, true],
  ['max_size_bytes', 26_214_400, '26214400'],
  ['firewall_allowlist', ['10.0.0.0/8', '::1'], '10.0.0.0/8\n::1'],
  ['firewall_allowlist', null, ''],
  ['decompression_algorithms', ['gzip'], ['gzip']],
  ['model_context_window_overrides', { 'gpt-5.5': 400_000 }, 'gpt-5.5 = 400000'],
  ['password', { is_set: true }, true],
  ['password', { is_set: false }, ''],
])('shows %s %j as %j', (key, value, raw) => {
  expect(rawOf(rule(key), value)).toEqual(raw);
});

it('makes a patch of what was edited, and nothing else', () => {
  const draft = {
    'bulkheads.images.queue_limit': '1k',
    'bulkheads.images.max_concurrency': '20',
    firewall_allowlist: '10.0.0.0/8\n\n ::1',
    model_context_window_overrides: 'gpt-5.5 = 400k',
    decompression_algorithms: ['br'],
    store_client_ip: false,
  };
  expect(patchOf(RULES, draft)).toEqual({
    patch: {
      bulkheads: { images: { queue_limit: 1000, max_concurrency: 20 } },
      firewall_allowlist: ['10.0.0.0/8', '::1'],
      model_context_window_overrides: { 'gpt-5.5': 400_000 },
      decompression_algorithms: ['br'],
      store_client_ip: false,
    },
    problems: {},
  });
});

it('sends a new secret, and takes one away', () => {
  expect(patchOf(RULES, { password: ' keep my blanks ' }).patch).toEqual({ password: ' keep my blanks ' });
  expect(patchOf(RULES, { password: '' }).patch).toEqual({ password: null });
});

it.each([
  ['sse_keepalive_interval_ms', '', 'A whole number from 0 to 240,000'],
  ['sse_keepalive_interval_ms', '240001', 'A whole number from 0 to 240,000'],
  ['model_context_window_overrides', 'gpt-5.5', 'A name, = and a whole number in each line'],
])('refuses %s %j', (key, raw, problem) => {
  expect(patchOf(RULES, { [key]: raw })).toEqual({ patch: {}, problems: { [key]: problem } });
});

it('makes help a sentence', () => {
  expect(sentence('time to finish an upload')).toBe('Time to finish an upload.');
});
