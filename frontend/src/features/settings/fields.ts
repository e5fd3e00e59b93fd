import type { AllSettings, GroupRules, SettingRule } from '@/api';
import { parseAmount } from '@/lib/amounts';
import { formatInteger, humanise } from '@/lib/format';

export type GroupName = GroupRules['name'];
export type Group = AllSettings[GroupName];

/** A setting as a form holds it. */
export type Raw = string | boolean | string[];
/** What was edited in a group, by the setting's key. */
export type Draft = Readonly<Record<string, Raw>>;

/** The value under a dotted key. */
export function valueAt(values: unknown, key: string): unknown {
  return key.split('.').reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), values);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as the form shows it. What cannot be read any more is shown as empty; a secret that is set is `true`. */
export function rawOf({ type }: SettingRule, value: unknown): Raw {
  switch (type) {
    case 'boolean':
      return value === true;
    case 'choices':
      return Array.isArray(value) ? value.map(String) : [];
    case 'networks':
      return Array.isArray(value) ? value.join('\n') : '';
    case 'numbers':
      return isObject(value)
        ? Object.entries(value)
            .map(([name, number]) => `${name} = ${number}`)
            .join('\n')
        : '';
    case 'secret':
      return isObject(value) && value.is_set === true ? true : '';
    case 'integer':
    case 'text':
    case 'url':
    case 'choice':
      return value === null || value === undefined ? '' : String(value);
  }
}

export type Parsed = { value: unknown } | { problem: string };

/** What the form holds as the server takes it, or what is wrong with it. */
export function parse(rule: SettingRule, raw: Raw): Parsed {
  switch (rule.type) {
    case 'integer':
      return whole(rule, String(raw));
    case 'networks':
      return { value: lines(String(raw)) };
    case 'numbers':
      return numbers(rule, String(raw));
    case 'text':
    case 'url':
      return { value: String(raw).trim() };
    case 'secret':
      return { value: raw === '' ? null : raw };
    case 'boolean':
    case 'choice':
    case 'choices':
      return { value: raw };
  }
}

function whole({ min, max }: SettingRule, text: string): Parsed {
  const value = parseAmount(text);
  const fits = value !== null && value >= (min ?? value) && value <= (max ?? value);
  return fits ? { value } : { problem: rangeText(min, max) };
}

function rangeText(min: number | null, max: number | null): string {
  if (min === null || max === null) return 'A whole number';
  return `A whole number from ${formatInteger(min)} to ${formatInteger(max)}`;
}

function lines(text: string): string[] {
  return text
    .split(/[\n,]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function numbers(rule: SettingRule, text: string): Parsed {
  const entries: [string, unknown][] = [];
  for (const line of lines(text)) {
    const [name = '', number = ''] = line.split('=').map((part) => part.trim());
    const parsed = whole(rule, number);
    if (name === '' || 'problem' in parsed) return { problem: 'A name, = and a whole number in each line' };
    entries.push([name, parsed.value]);
  }
  return { value: Object.fromEntries(entries) };
}

/** What a group would be changed to, as a nested patch, and what is wrong with it by key. */
export function patchOf(
  rules: readonly SettingRule[],
  draft: Draft,
): { patch: Record<string, unknown>; problems: Record<string, string> } {
  const patch: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const rule of rules) {
    const raw = draft[rule.key];
    if (raw === undefined) continue;
    const parsed = parse(rule, raw);
    if ('problem' in parsed) problems[rule.key] = parsed.problem;
    else put(patch, rule.key.split('.'), parsed.value);
  }
  return { patch, problems };
}

function put(target: Record<string, unknown>, [name = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    target[name] = value;
    return;
  }
  const inner = isObject(target[name]) ? target[name] : {};
  target[name] = inner;
  put(inner, rest, value);
}

export function sameRaw(a: Raw, b: Raw): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Where the server names a setting in its refusals. */
export function pointerOf(key: string): string {
  return `/values/${key.replaceAll('.', '/')}`;
}

/** 'silence after which …; 0: never' as a sentence. */
export function sentence(help: string): string {
  const text = humanise(help);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
