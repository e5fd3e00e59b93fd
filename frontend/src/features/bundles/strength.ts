export interface Strength {
  /** 0 to 4, for the marks of a meter. */
  level: 0 | 1 | 2 | 3 | 4;
  label: string;
}

/** What the server accepts at all. */
export const LEAST_PASSPHRASE = 16;

const ALPHABETS: [pattern: RegExp, symbols: number][] = [
  [/[a-z]/, 26],
  [/[A-Z]/, 26],
  [/\d/, 10],
  [/[^a-zA-Z\d\s]/, 30],
  [/\s/, 1],
];
const GRADES: [bits: number, strength: Strength][] = [
  [100, { level: 4, label: 'Strong' }],
  [75, { level: 3, label: 'Good' }],
  [55, { level: 2, label: 'Fair: a few more words would help' }],
  [0, { level: 1, label: 'Weak: add words that do not belong together' }],
];

/**
 * A rough guess at how long a passphrase resists trying, from its length and variety. Characters that go on with the
 * one before, as in 'aaaa' or '1234', hardly count.
 */
export function strengthOf(passphrase: string): Strength {
  if (passphrase === '') return { level: 0, label: '' };
  const missing = LEAST_PASSPHRASE - [...passphrase].length;
  if (missing > 0) return { level: 1, label: `${missing} more character${missing === 1 ? '' : 's'}` };
  const symbols = ALPHABETS.reduce((sum, [pattern, size]) => sum + (pattern.test(passphrase) ? size : 0), 0);
  const bits = unforeseen(passphrase) * Math.log2(Math.max(symbols, 2)) * 0.75;
  return GRADES.find(([least]) => bits >= least)?.[1] ?? { level: 1, label: 'Weak' };
}

function unforeseen(text: string): number {
  const seen = new Set<string>();
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const step = i === 0 ? null : text.charCodeAt(i) - text.charCodeAt(i - 1);
    const pair = text.slice(Math.max(i - 1, 0), i + 1).toLowerCase();
    if (step !== null && Math.abs(step) <= 1) count += 0.15;
    else count += seen.has(pair) ? 0.4 : 1;
    seen.add(pair);
  }
  return count;
}
