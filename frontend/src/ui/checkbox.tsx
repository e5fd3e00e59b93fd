import { Checkbox as Base } from '@base-ui/react/checkbox';
import { Check } from 'lucide-react';
import { useId } from 'react';

interface CheckboxProps {
  label: string;
  /** For one in a row that names itself; the label is still read out. */
  labelHidden?: boolean;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

/** One of several that may be chosen together. */
export function Checkbox({ label, labelHidden = false, checked, onChange }: CheckboxProps) {
  const id = useId();
  return (
    <label
      htmlFor={id}
      className="inline-flex min-h-6 cursor-default items-center gap-2 select-none coarse:min-h-11"
    >
      <Base.Root
        id={id}
        checked={checked}
        onCheckedChange={onChange}
        className="grid size-4 shrink-0 place-items-center rounded-sm border border-field-line bg-surface data-checked:border-ink data-checked:bg-ink"
      >
        <Base.Indicator>
          <Check className="size-3 text-on-ink" strokeWidth={3} />
        </Base.Indicator>
      </Base.Root>
      {labelHidden ? <span className="sr-only">{label}</span> : label}
    </label>
  );
}
