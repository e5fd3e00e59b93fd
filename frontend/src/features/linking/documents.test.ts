import { expect, it } from 'vitest';
import { documentProblem, documentsOf, MAX_DOCUMENT_BYTES } from './documents';

const of = (text: string) => documentsOf([{ name: 'a.json', text }]);

it('takes a file for one sign-in', () => {
  expect(of('{\n  "tokens": {}\n}')).toEqual([{ source: 'a.json', text: '{\n  "tokens": {}\n}' }]);
});

it('takes an array apart', () => {
  expect(of('[{"a":1},{"b":2}]')).toEqual([
    { source: 'a.json, no. 1', text: '{"a":1}' },
    { source: 'a.json, no. 2', text: '{"b":2}' },
  ]);
});

it('takes lines apart and keeps a broken one, to be refused by itself', () => {
  expect(of('{"a":1}\n\n{"b":\n').map(({ text }) => text)).toEqual(['{"a":1}', '{"b":']);
});

it('leaves what it cannot read to the server', () => {
  expect(of('{ "tokens": \n nothing')).toHaveLength(1);
});

it('leaves an empty list to be refused', () => {
  expect(of('\ufeff[]')).toEqual([{ source: 'a.json', text: '[]' }]);
});

it('stops what is too large', () => {
  const text = 'x'.repeat(MAX_DOCUMENT_BYTES + 1);
  expect(documentProblem({ source: 'a', text })).toBe('body_too_large');
  expect(documentProblem({ source: 'a', text: '{}' })).toBeNull();
});
