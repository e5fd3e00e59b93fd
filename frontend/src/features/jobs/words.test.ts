import { expect, it } from 'vitest';
import { actionText, scheduleText, worst } from './words';

it.each([
  ['0 * * * *', 'Every hour'],
  ['17 * * * *', 'Every hour at :17'],
  ['*/15 * * * *', 'Every 15 minutes'],
  ['* * * * *', 'Every minute'],
  ['25 3 * * *', 'Daily at 03:25 UTC'],
  ['0 4 * * 1', '0 4 * * 1'],
])('%s is %s', (schedule, words) => {
  expect(scheduleText({ schedule, manual: true })).toBe(words);
});

it('says of kinds without a schedule who begins them', () => {
  expect(scheduleText({ schedule: null, manual: true })).toBe('When asked for');
  expect(scheduleText({ schedule: null, manual: false })).toBe('When it is needed');
});

it('names the worst first', () => {
  expect(worst([])).toBeNull();
  expect(worst(['retry_pressure', 'active_failure'])).toBe('active_failure');
  expect(worst(['active_failure', 'jobs_role_missing'])).toBe('jobs_role_missing');
});

it('asks what runs, and cancels what waits', () => {
  expect(actionText('cancel', { state: 'executing' })).toBe('Ask it to stop');
  expect(actionText('cancel', { state: 'available' })).toBe('Cancel');
});
