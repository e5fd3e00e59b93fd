const STEPS = { k: 1e3, m: 1e6, b: 1e9 } as const;
const AMOUNT = /^(\d+(?:\.\d+)?)([kmb])?$/;

/** '20M', '1.5k' or '20,000' as a whole number; null when it is none. */
export function parseAmount(text: string): number | null {
  const found = AMOUNT.exec(
    text
      .trim()
      .toLowerCase()
      .replaceAll(/[,_\s]/g, ''),
  );
  if (!found) return null;
  const step = found[2] as keyof typeof STEPS | undefined;
  const amount = Math.round(Number(found[1]) * (step ? STEPS[step] : 1) * 1e3) / 1e3;
  return Number.isSafeInteger(amount) ? amount : null;
}

/** 20000000 as '20M' where nothing gets lost, otherwise its digits. */
export function amountText(value: number): string {
  for (const [letter, step] of Object.entries(STEPS).toReversed())
    if (value >= step && Number.isInteger((value / step) * 100))
      return `${value / step}${letter === 'k' ? 'k' : letter.toUpperCase()}`;
  return String(value);
}

const SPANS: [unit: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];
const SIZES: [unit: string, bytes: number][] = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
];

/** A number of milliseconds, seconds or bytes in its largest fitting unit, as '30 min'; null when that says no more. */
export function inLargerUnit(value: number, unit: string | null): string | null {
  const table = unit === 'B' ? SIZES : SPANS;
  const base = { ms: value, s: value * 1000, B: value }[unit ?? ''];
  if (base === undefined) return null;
  const fitting = table.find(([, step]) => base >= step);
  if (!fitting || fitting[0] === unit) return null;
  const [name, step] = fitting;
  return `${Number((base / step).toFixed(2))} ${name}`;
}
