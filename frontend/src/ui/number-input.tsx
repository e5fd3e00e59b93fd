import { clsx } from 'clsx';
import { type KeyboardEvent, useState } from 'react';
import { fieldClass } from './overlay';

interface NumberInputProps {
  label: string;
  value: number | null;
  min: number;
  max: number;
  /** Whole numbers unless a smaller step is given. */
  step?: number;
  /** Shown when there is no value; an empty field is then allowed. */
  placeholder?: string;
  disabled?: boolean;
  /** Called when the field is left or Enter pressed, with a number in range, or null when emptied. */
  onCommit: (value: number | null) => void;
  className?: string;
}

/** A number that is saved when it is left. What is out of range or no number at all goes back to what it was. */
export function NumberInput(props: NumberInputProps) {
  const { label, value, min, max, step = 1, placeholder, disabled = false, onCommit, className } = props;
  const shown = value === null ? '' : String(value);
  const [draft, setDraft] = useState<string>();

  function commit() {
    if (draft === undefined) return;
    setDraft(undefined);
    const next = draft.trim() === '' ? null : Number(draft);
    const allowed =
      next === null
        ? placeholder !== undefined
        : next >= min && next <= max && (step < 1 || Number.isInteger(next));
    if (allowed && next !== value) onCommit(next);
  }

  function onKeyDown(event: KeyboardEvent<HTMLInputElement>) {
    if (event.key === 'Enter') commit();
    if (event.key === 'Escape' && draft !== undefined) {
      event.stopPropagation();
      setDraft(undefined);
    }
  }

  return (
    <input
      type="number"
      inputMode={step < 1 ? 'decimal' : 'numeric'}
      aria-label={label}
      value={draft ?? shown}
      min={min}
      max={max}
      step={step}
      placeholder={placeholder}
      disabled={disabled}
      onChange={(event) => setDraft(event.target.value)}
      onBlur={commit}
      onKeyDown={onKeyDown}
      className={clsx(
        fieldClass,
        'tnum [appearance:textfield] [&::-webkit-inner-spin-button]:hidden [&::-webkit-outer-spin-button]:hidden',
        className,
      )}
    />
  );
}
