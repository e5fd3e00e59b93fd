import { expect, it } from 'vitest';
import { strengthOf } from './strength';

it.each([
  ['', 0],
  ['short', 1],
  ['aaaaaaaaaaaaaaaaaaaaaaaa', 1],
  ['1234567890123456', 1],
  ['passwordpassword', 1],
  ['heron cobalt trestle nine', 3],
  ['heron cobalt trestle nine orchard', 4],
  ['harbour-lantern', 1],
  ['T7#kq!9vWz$2mPx@', 3],
])('%s has strength %i', (passphrase, level) => {
  expect(strengthOf(passphrase).level).toBe(level);
});

it('says how much is missing', () => {
  expect(strengthOf('fifteen chars !').label).toBe('1 more character');
});
