import { expect, it } from 'vitest';
import { callbackProblem, callbackUrl } from './callback';

const AT = 'http://localhost:1455/auth/callback';

it.each([
  [`${AT}?code=ac_1&state=st_1`, null],
  [`  ${AT}?code=ac_1&state=st_1&scope=openid\n`, null],
  ['http://127.0.0.1:1455/auth/callback?code=a&state=b', null],
  ['localhost:1455/auth/callback?code=a&state=b', null],
  ['', 'invalid_callback_url'],
  ['the page did not load', 'invalid_callback_url'],
  ['https://auth.openai.com/oauth/authorize?state=b', 'invalid_callback_origin'],
  ['http://localhost:4000/auth/callback?code=a&state=b', 'invalid_callback_origin'],
  ['http://localhost:1455/other?code=a&state=b', 'invalid_callback_origin'],
  ['https://localhost:1455/auth/callback?code=a&state=b', 'invalid_callback_origin'],
  [`${AT}?code=a`, 'missing_state'],
  [`${AT}?state=b`, 'missing_callback_result'],
  [`${AT}?code=a&code=c&state=b`, 'duplicate_callback_param'],
  [`${AT}?error=access_denied&state=b`, null],
])('judges %j as %j', (text, code) => expect(callbackProblem(text)).toBe(code));

it('adds the scheme that an address bar leaves out', () => {
  expect(callbackUrl(' localhost:1455/auth/callback?code=a')).toBe(
    'http://localhost:1455/auth/callback?code=a',
  );
});
