import { createWorld } from '@mocks/world';
import { expect, it } from 'vitest';
import type { RequestLog, RequestLogPage } from '@/api';
import { mergeHead } from './merge';

const { requests } = createWorld(Date.parse('2026-01-01T12:00:00Z'));
const ids = (rows: readonly RequestLog[] | undefined) => rows?.map((row) => row.id);

function page(rows: RequestLog[], total = rows.length): RequestLogPage {
  return { items: rows, page: { limit: 100, next_cursor: 'next', total_estimate: total } };
}

const shown = {
  pages: [page(requests.slice(2, 5), 3), page(requests.slice(5, 8))],
  pageParams: ['', 'next'],
};

it('puts new requests before those already shown', () => {
  const merged = mergeHead(shown, page(requests.slice(0, 4), 5));
  expect(ids(merged.pages[0]?.items)).toEqual(ids(requests.slice(0, 5)));
  expect(merged.pages[0]?.page.total_estimate).toBe(5);
  expect(merged.pages[1]).toBe(shown.pages[1]);
});

it('changes nothing when nothing is new', () => {
  expect(mergeHead(shown, page(requests.slice(2, 4)))).toBe(shown);
});

it('starts again when more has arrived than one page holds', () => {
  const fresh = page(requests.slice(100, 103));
  expect(mergeHead(shown, fresh)).toEqual({ pages: [fresh], pageParams: [''] });
});
