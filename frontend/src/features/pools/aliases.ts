import type { Pool } from '@/api';

type Alias = Pool['model_aliases'][number];

const LONGEST = 100;
const MOST = 100;

/** Other names as lines, `name = model`, as `readAliases` takes them. */
export function aliasLines(aliases: readonly Alias[]): string {
  return aliases.map(({ match, model }) => `${match} = ${model}`).join('\n');
}

/** What the lines say, or what is wrong with the first that says nothing. */
export function readAliases(lines: string): { aliases: Alias[] } | { problem: string } {
  const aliases: Alias[] = [];
  for (const [place, line] of lines.split('\n').entries()) {
    if (line.trim() === '') continue;
    const [match = '', model = '', ...rest] = line.split('=').map((part) => part.trim());
    if (!match || !model || rest.length > 0)
      return { problem: `Line ${place + 1}: write a name, an equals sign and a model.` };
    if (match.length > LONGEST || model.length > LONGEST)
      return { problem: `Line ${place + 1}: keep names under ${LONGEST} characters.` };
    aliases.push({ match, model });
  }
  return aliases.length > MOST ? { problem: `Keep it to ${MOST} names.` } : { aliases };
}
