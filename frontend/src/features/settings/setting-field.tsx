import { Field as Base } from '@base-ui/react/field';
import { clsx } from 'clsx';
import { RotateCcw } from 'lucide-react';
import type { SettingRule } from '@/api';
import { inLargerUnit, parseAmount } from '@/lib/amounts';
import { formatInteger, humanise } from '@/lib/format';
import { IconButton } from '@/ui/button';
import { Checkbox } from '@/ui/checkbox';
import { TextArea, TextInput } from '@/ui/field';
import { Select } from '@/ui/select';
import { Switch } from '@/ui/switch';
import { Tooltip } from '@/ui/tooltip';
import { type Raw, rawOf, sameRaw, sentence } from './fields';

export interface FieldState {
  rule: SettingRule;
  raw: Raw;
  /** What the server has. */
  stored: Raw;
  problem: string | undefined;
  disabled: boolean;
  onEdit: (raw: Raw) => void;
}

/** A setting on a line of its own: what it is, its control, and the way back to its default. */
export function SettingRow(props: FieldState) {
  const { rule, raw, problem } = props;
  const bounds = boundsText(rule);
  return (
    <Base.Root
      invalid={problem !== undefined}
      className="grid gap-x-6 gap-y-1.5 py-3 sm:grid-cols-[minmax(0,1fr)_17rem]"
    >
      <div className="min-w-0">
        <Label rule={rule} />
        <Base.Description className="text-xs text-ink-3">
          {sentence(rule.help)} {bounds}
        </Base.Description>
      </div>
      <div className="min-w-0">
        <div className="flex items-start gap-1">
          <div className="min-w-0 flex-1">
            <Control {...props} suffix={rule.unit} />
          </div>
          <Default {...props} />
        </div>
        <Reading rule={rule} raw={raw} />
        <Problem text={problem} />
      </div>
    </Base.Root>
  );
}

/** A setting among others of its section. */
export function SettingCell(props: FieldState) {
  const { rule, raw, problem } = props;
  return (
    <Base.Root invalid={problem !== undefined} className="min-w-0">
      <Base.Label className="mb-0.5 block truncate text-2xs text-ink-3" title={sentence(rule.help)}>
        {rule.title}
        {rule.unit ? `, ${rule.unit}` : ''}
      </Base.Label>
      <Control {...props} />
      <Reading rule={rule} raw={raw} />
      <Problem text={problem} />
    </Base.Root>
  );
}

function Label({ rule }: { rule: SettingRule }) {
  return rule.type === 'choices' ? (
    <p className="font-medium">{rule.title}</p>
  ) : (
    <Base.Label className="font-medium">{rule.title}</Base.Label>
  );
}

function Problem({ text }: { text: string | undefined }) {
  return (
    <Base.Error match={text !== undefined} className="mt-1 text-xs text-bad-ink">
      {text}
    </Base.Error>
  );
}

function Default({ rule, raw, disabled, onEdit }: FieldState) {
  const usual = rawOf(rule, rule.default);
  if (disabled || sameRaw(raw, usual)) return <span className="w-8 shrink-0 max-sm:hidden" />;
  return (
    <Tooltip content="Back to the default">
      <IconButton label={`${rule.title}: back to the default`} onClick={() => onEdit(usual)}>
        <RotateCcw />
      </IconButton>
    </Tooltip>
  );
}

/** A large number in the unit people think in. */
function Reading({ rule, raw }: { rule: SettingRule; raw: Raw }) {
  const value = rule.type === 'integer' ? parseAmount(String(raw)) : null;
  const said = value === null ? null : inLargerUnit(value, rule.unit);
  return said ? <p className="tnum mt-0.5 text-xs text-ink-3">= {said}</p> : null;
}

/** `suffix` is the unit, where it is not in the label. */
function Control({ rule, raw, stored, disabled, onEdit, suffix }: FieldState & { suffix?: string | null }) {
  switch (rule.type) {
    case 'boolean':
      return (
        <span className="flex h-8 items-center">
          <Switch label={rule.title} checked={raw === true} disabled={disabled} onChange={onEdit} />
        </span>
      );
    case 'choice':
      return (
        <Select
          value={String(raw)}
          onChange={onEdit}
          options={rule.enum.map((value) => ({ value, label: choiceLabel(value) }))}
          className="w-full"
        />
      );
    case 'choices':
      return (
        <div role="group" aria-label={rule.title} className="flex flex-wrap gap-x-4 gap-y-1 py-1">
          {rule.enum.map((value) => (
            <Checkbox
              key={value}
              label={value}
              checked={chosen(raw).includes(value)}
              onChange={(on) =>
                onEdit(rule.enum.filter((each) => (each === value ? on : chosen(raw).includes(each))))
              }
            />
          ))}
        </div>
      );
    case 'networks':
    case 'numbers':
      return (
        <TextArea
          value={String(raw)}
          onChange={(event) => onEdit(event.target.value)}
          disabled={disabled}
          rows={3}
          spellCheck={false}
          placeholder={
            rule.type === 'networks'
              ? 'None. One a line, as 10.0.0.0/8'
              : 'None. One a line, as gpt-5.5 = 400k'
          }
          className="resize-y font-mono"
        />
      );
    case 'secret':
      return (
        <TextInput
          type="password"
          value={raw === true ? '' : String(raw)}
          onChange={({ target }) => onEdit(target.value === '' ? stored : target.value)}
          disabled={disabled}
          autoComplete="new-password"
          placeholder={raw === true ? 'Set; type to replace it' : stored === true ? 'Taken away' : 'None'}
        />
      );
    case 'integer':
    case 'text':
    case 'url':
      return (
        <div className="relative">
          <TextInput
            value={String(raw)}
            onChange={(event) => onEdit(event.target.value)}
            disabled={disabled}
            inputMode={rule.type === 'integer' ? 'numeric' : rule.type === 'url' ? 'url' : 'text'}
            autoComplete="off"
            spellCheck={false}
            className={clsx(rule.type === 'integer' && 'tnum', suffix && 'pr-12')}
          />
          {suffix ? (
            <span
              aria-hidden
              className="pointer-events-none absolute inset-y-0 right-2.5 flex items-center text-xs text-ink-3"
            >
              {suffix}
            </span>
          ) : null}
        </div>
      );
  }
}

/** 'x_real_ip' as the header X-Real-Ip, other words as words. */
function choiceLabel(value: string): string {
  return value.startsWith('x_') ? value.split('_').map(humanise).join('-') : humanise(value);
}

function chosen(raw: Raw): string[] {
  return Array.isArray(raw) ? raw : [];
}

function boundsText({ type, min, max, unit, default: usual, applies }: SettingRule): string {
  const measured = (value: number) =>
    inLargerUnit(value, unit) ?? [formatInteger(value), value === 0 ? null : unit].filter(Boolean).join(' ');
  const parts = [
    unit ? `in ${unit}` : null,
    type === 'integer' && typeof usual === 'number' ? `default ${measured(usual)}` : null,
    type === 'text' && usual !== '' ? `default ${usual}` : null,
    type === 'integer' && min !== null && max !== null ? `${measured(min)} to ${measured(max)}` : null,
    applies === 'new requests' ? null : `counts ${applies}`,
  ].filter(Boolean);
  return parts.length === 0 ? '' : `${humanise(parts.join('; '))}.`;
}
