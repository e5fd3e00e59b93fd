import { expect, it } from 'vitest';
import { asQuery, requestFilters } from './search';

it('asks the server only for what is set, under its own names', () => {
  const filters = requestFilters({ q: '', pool: ['p'], account: [], key: ['k'], live: true, id: 'open' });
  expect(filters).toEqual({ pool: ['p'], key: ['k'] });
  expect(asQuery(filters)).toEqual({ pool_id: ['p'], api_key_id: ['k'] });
});
