import { expect, it } from 'vitest';
import { expiresAt, modelList } from './key-values';

it.each([
  ['', null],
  [' , ', null],
  ['gpt-5.5', ['gpt-5.5']],
  ['gpt-5.5, gpt-5.5-mini gpt-5.5', ['gpt-5.5', 'gpt-5.5-mini']],
])('%j names %j', (text, names) => expect(modelList(text)).toEqual(names));

it('counts an expiry in days from now', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(expiresAt('30', now)).toBe('2026-01-31T00:00:00.000Z');
  expect(expiresAt('never', now)).toBeNull();
});
