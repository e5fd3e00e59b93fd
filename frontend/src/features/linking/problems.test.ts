import { expect, it } from 'vitest';
import { ApiError } from '@/api';
import { problemOf, problemOfCode, proxyProblem } from './problems';

const CODES = [
  'invalid_auth_json',
  'unsupported_auth_json',
  'missing_tokens',
  'missing_token',
  'invalid_token',
  'expired_token',
  'missing_account_identifier',
  'missing_refresh_token',
  'invalid_access_token',
  'access_token_refused',
  'access_token_expired',
  'invalid_callback_url',
  'invalid_callback_origin',
  'missing_state',
  'duplicate_callback_param',
  'missing_callback_result',
  'provider_denied',
  'invalid_state',
  'not_found',
  'expired_flow',
  'flow_not_pending',
  'stale_flow',
  'superseded',
  'interrupted',
  'flow_unreadable',
  'login_not_stored',
  'token_exchange_failed',
  'sign_in_unavailable',
  'egress_proxy_failed',
  'invalid_egress_proxy',
  'access_denied',
  'identity_mismatch',
  'identity_conflict',
  'account_deleted',
  'unauthorized_pool',
  'database_unavailable',
  'network_unreachable',
];

it.each(CODES)('%s is answered by a next step of its own', (code) => {
  const problem = problemOf(new ApiError(422, { code, title: code }));
  expect(problem).toEqual(problemOfCode(code));
  expect(problem.title).not.toBe('That did not work');
  expect(problem.next.length).toBeGreaterThan(20);
});

it('passes on what the server says about anything else', () => {
  const error = new ApiError(409, { code: 'out_of_paper', title: 'The tray is empty' });
  expect(problemOf(error).next).toBe('The tray is empty');
  expect(problemOf({ code: 'out_of_paper', detail: null }).next).toBe('The server says: out_of_paper.');
});

it('knows what concerns the egress proxy, by code or by field', () => {
  expect(proxyProblem(new ApiError(422, { code: 'invalid_egress_proxy', title: 'No port' }))).toBe('No port');
  const errors = [{ pointer: '/egress_proxy', code: 'invalid', message: 'Too long' }];
  expect(proxyProblem(new ApiError(422, { code: 'validation_failed', title: 'No', errors }))).toBe(
    'Too long',
  );
  expect(proxyProblem(new ApiError(409, { code: 'identity_conflict', title: 'No' }))).toBeUndefined();
});
