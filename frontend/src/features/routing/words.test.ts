import { expect, it } from 'vitest';
import { affinitySentence, affinityText, reasonText, strategyLabel } from './words';

const BORIS = { id: 'b', name: 'borealis' };

it.each([
  [{ kind: 'none', account: null, reason: null }, null],
  [{ kind: 'owner', account: BORIS, reason: null }, 'The session is bound to borealis, which goes first.'],
  [
    { kind: 'owner_passed_over', account: BORIS, reason: 'usage_limited' },
    'The session is bound to borealis, which is passed over: quota spent.',
  ],
  [{ kind: 'pinned', account: BORIS, reason: null }, 'Only borealis can serve it.'],
] as const)('tells an affinity %j', (affinity, sentence) =>
  expect(affinitySentence(affinity)).toBe(sentence),
);

it('words what a newer server may say', () => {
  expect(reasonText('moon_phase')).toBe('Moon phase');
  expect(affinityText('kept_warm')).toBe('Kept warm');
  expect(strategyLabel('coin_toss')).toBe('Coin toss');
});
