import { expect, it } from 'vitest';
import { ApiError } from '@/api';
import { importProblem } from './import-problem';

const CODES = [
  'invalid_auth_json',
  'unsupported_auth_json',
  'missing_tokens',
  'missing_token',
  'invalid_token',
  'expired_token',
  'missing_account_identifier',
  'missing_refresh_token',
];

it.each(CODES)('%s is answered by a next step of its own', (code) => {
  const problem = importProblem(new ApiError(422, { code, title: code }));
  expect(problem.title).not.toBe('The account was not imported');
  expect(problem.next.length).toBeGreaterThan(20);
});

it('passes on what the server says about anything else', () => {
  const error = new ApiError(409, { code: 'identity_conflict', title: 'Another account has this identity' });
  expect(importProblem(error).next).toBe('Another account has this identity');
});
