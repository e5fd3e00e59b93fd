import { expect, it } from 'vitest';
import { safeReturnPath } from './search';

it.each([
  [undefined, '/upstreams'],
  ['/requests?status=%5B%22failed%22%5D', '/requests?status=%5B%22failed%22%5D'],
  ['//evil.example', '/upstreams'],
  ['/\\evil.example', '/upstreams'],
  ['/\t/evil.example', '/upstreams'],
  ['https://evil.example/upstreams', '/upstreams'],
  ['javascript:alert(1)', '/upstreams'],
  ['/sign-in?next=/sign-in', '/upstreams'],
  ['/setup', '/upstreams'],
])('%s leads to %s', (next, path) => expect(safeReturnPath(next)).toBe(path));
