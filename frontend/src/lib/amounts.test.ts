import { expect, it } from 'vitest';
import { amountText, inLargerUnit, parseAmount } from './amounts';

it.each([
  ['0', 0],
  ['20M', 20_000_000],
  ['1.5k', 1500],
  ['2.3M', 2_300_000],
  ['20,000', 20_000],
  ['1 000 000', 1_000_000],
  ['1.5', null],
  ['-1', null],
  ['ten', null],
  ['', null],
])('reads %j as %j', (text, amount) => expect(parseAmount(text)).toBe(amount));

it.each([
  [30, '30'],
  [1500, '1.5k'],
  [20_000_000, '20M'],
  [1_234_567, '1234567'],
  [2_000_000_000, '2B'],
])('writes %d as %s', (amount, text) => {
  expect(amountText(amount)).toBe(text);
  expect(parseAmount(text)).toBe(amount);
});

it.each([
  [1_800_000, 'ms', '30 min'],
  [10_000, 'ms', '10 s'],
  [500, 'ms', null],
  [60, 's', '1 min'],
  [30, 's', null],
  [86_400, 's', '1 d'],
  [26_214_400, 'B', '25 MiB'],
  [90, 'd', null],
  [200, null, null],
])('says %d %s as %j', (value, unit, said) => expect(inLargerUnit(value, unit)).toBe(said));
