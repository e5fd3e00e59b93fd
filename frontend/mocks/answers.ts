import { HttpResponse } from 'msw';
import type { Problem } from '@/api';

/** Answers that every part of the mock API gives alike. */

export function missing(what: string): Response {
  return problem(404, 'not_found', `There is no such ${what}`);
}

export function invalid(pointer: string, message: string): Response {
  return problem(422, 'validation_failed', 'Something needs attention', [
    { pointer, code: 'taken', message },
  ]);
}

export function problem(
  status: number,
  code: string,
  title: string,
  errors: Problem['errors'] = [],
): Response {
  const body: Problem = {
    type: `urn:codex-pooler:problem:${code}`,
    title,
    status,
    detail: title,
    instance: '/api/admin/v1',
    code,
    request_id: 'mock',
    errors,
  };
  return HttpResponse.json(body, { status, headers: { 'content-type': 'application/problem+json' } });
}

/** The page information of a list that is answered as one page. */
export function whole(items: readonly unknown[]) {
  return { limit: items.length, next_cursor: null };
}
