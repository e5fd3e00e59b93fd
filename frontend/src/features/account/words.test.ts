import { expect, it } from 'vitest';
import type { RouteLane } from '@/api';
import { eventSentence, gateText, lanesVerdict } from './words';

const lane = (name: string, state: 'pass' | 'warn' | 'fail'): RouteLane => ({
  pool: { id: name, name },
  verdict: 'ready',
  label: 'Ready',
  gates: [{ gate: 'quota', state, reason: null, until: null }],
  requests_7d: 0,
  success_rate_7d: null,
});

it.each([
  ['no pool', [], 'It is in no pool, so no request can reach it.'],
  ['one open lane', [lane('A', 'pass')], 'Serves A.'],
  ['all open', [lane('A', 'pass'), lane('B', 'pass'), lane('C', 'pass')], 'Serves A, B and C.'],
  ['a doubt', [lane('A', 'pass'), lane('B', 'warn')], 'Serves A and B, with a doubt.'],
  ['one closed', [lane('A', 'pass'), lane('B', 'fail')], 'Serves A, not B.'],
  ['the only one closed', [lane('A', 'fail')], 'Requests of A do not reach it now.'],
  ['all closed', [lane('A', 'fail'), lane('B', 'fail')], 'No request reaches it now.'],
])('the verdict of %s', (_name, lanes, expected) => {
  expect(lanesVerdict(lanes)).toBe(expected);
});

it('says what a gate says', () => {
  expect(gateText({ gate: 'assignment', state: 'pass', reason: null })).toBe('assigned');
  expect(gateText({ gate: 'quota', state: 'fail', reason: 'usage_limited' })).toBe('Quota spent');
  expect(gateText({ gate: 'health', state: 'warn', reason: 'something_new' })).toBe('Something new');
});

it('tells events as sentences, those it does not know as well', () => {
  const event = { id: '1', occurred_at: '', actor: 'Ada', outcome: 'success', reason: null } as const;
  expect(eventSentence({ ...event, action: 'upstream_account.pause' })).toBe('Ada paused it');
  expect(eventSentence({ ...event, actor: 'system', action: 'account.drained' })).toBe(
    'The gateway finished its turns and paused it',
  );
  expect(
    eventSentence({
      ...event,
      action: 'upstream_account.refresh',
      outcome: 'failure',
      reason: 'sign_in_503',
    }),
  ).toBe('Ada could not renew its sign-in: sign in 503');
  expect(eventSentence({ ...event, action: 'account.polished_up' })).toBe('Ada did “Account polished up”');
});
