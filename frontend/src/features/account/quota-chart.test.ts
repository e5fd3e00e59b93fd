import { expect, it } from 'vitest';
import type { QuotaHistory, QuotaWindow } from '@/api';
import { paceText, presentQuota } from './quota-chart';

const NOW = Date.parse('2026-01-08T00:00:00Z');
const HOUR = 3600;
const at = (hoursAgo: number) => NOW / 1000 - hoursAgo * HOUR;

const WINDOW: QuotaWindow = {
  key: 'account:5h',
  label: '5 h',
  scope: 'account',
  model: null,
  window_seconds: 5 * HOUR,
  freshness: 'fresh',
  observed_at: '2026-01-08T00:00:00Z',
  burn_percent_per_hour: 20,
  exhausts_at: null,
  used_percent: 60,
  resets_at: '2026-01-08T05:00:00Z',
};

function history(series: Partial<QuotaHistory['series'][number]>): QuotaHistory {
  return {
    window: '24h',
    from: '2026-01-07T00:00:00Z',
    to: '2026-01-08T00:00:00Z',
    bucket_seconds: HOUR,
    series: [{ key: 'account:5h', label: '5 h', t: [], used_percent: [], resets: [], ...series }],
  };
}

it('holds what was seen until the next, and knows nothing when that is long ago', () => {
  const chart = presentQuota(history({ t: [at(20), at(10), at(1)], used_percent: [10, 30, 50] }), [], NOW);
  const [left] = chart.series;
  const value = (hoursAgo: number) => left?.values[chart.times.indexOf(at(hoursAgo))];
  expect(value(24)).toBeNull();
  expect(value(20)).toBe(90);
  expect(value(17)).toBe(90);
  expect(value(16)).toBeNull();
  expect(value(9)).toBe(70);
  expect(value(0)).toBe(50);
});

it('is whole again after a reset', () => {
  const chart = presentQuota(history({ t: [at(4)], used_percent: [80], resets: [at(2)] }), [], NOW);
  expect(chart.series[0]?.values[chart.times.indexOf(at(3))]).toBe(20);
  expect(chart.series[0]?.values[chart.times.indexOf(at(2))]).toBe(100);
  expect(chart.resets).toEqual([at(2)]);
});

it('follows the present pace until nothing is left', () => {
  const chart = presentQuota(history({ t: [at(0)], used_percent: [60] }), [WINDOW], NOW);
  const expected = chart.series[1];
  expect(expected).toMatchObject({ dashed: true, label: '5 h, expected' });
  expect(expected?.values.filter((value) => value !== null)).toEqual([40, 20, 0]);
  expect(chart.times.length).toBeLessThanOrEqual(30);
});

it('does not look beyond the reset', () => {
  const soon = { ...WINDOW, resets_at: '2026-01-08T01:30:00Z' };
  const chart = presentQuota(history({ t: [at(0)], used_percent: [60] }), [soon], NOW);
  expect(chart.series[1]?.values.filter((value) => value !== null)).toEqual([40, 20]);
});

it('says how fast a window is used', () => {
  expect(paceText(WINDOW)).toBe('20% an hour');
  expect(paceText({ ...WINDOW, window_seconds: 604_800, burn_percent_per_hour: 0.25 })).toBe('6.0% a day');
  expect(paceText({ ...WINDOW, burn_percent_per_hour: null })).toBe('–');
});
