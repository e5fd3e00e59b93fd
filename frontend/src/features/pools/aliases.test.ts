import { expect, it } from 'vitest';
import { aliasLines, readAliases } from './aliases';

it('reads what it wrote', () => {
  const aliases = [
    { match: 'claude-*haiku*', model: 'gpt-5.4-mini' },
    { match: 'claude-*', model: 'gpt-5.6' },
  ];
  expect(readAliases(aliasLines(aliases))).toEqual({ aliases });
  expect(readAliases('\n  a =b  \n\n')).toEqual({ aliases: [{ match: 'a', model: 'b' }] });
  expect(readAliases('')).toEqual({ aliases: [] });
});

it('names the line that says nothing', () => {
  expect(readAliases('a = b\nclaude')).toEqual({
    problem: 'Line 2: write a name, an equals sign and a model.',
  });
  expect(readAliases('a = b = c')).toHaveProperty('problem');
  expect(readAliases(`${'a'.repeat(101)} = b`)).toHaveProperty('problem');
});
