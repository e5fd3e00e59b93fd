import { Switch as Base } from '@base-ui/react/switch';
import { type ReactNode, useId } from 'react';

interface SwitchProps {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
  /** The id of a text that says more. */
  describedBy?: string;
}

/** Something that is on or off at once, without a save button. */
export function Switch({ label, checked, onChange, disabled = false, describedBy }: SwitchProps) {
  return (
    <Base.Root
      aria-label={label}
      aria-describedby={describedBy}
      checked={checked}
      onCheckedChange={onChange}
      disabled={disabled}
      className="relative inline-flex h-5 w-8.5 shrink-0 cursor-default rounded-full border border-field-line bg-sunken p-0.5 transition-colors duration-100 after:absolute after:-inset-x-1 after:-inset-y-3 data-checked:border-ink data-checked:bg-ink data-disabled:opacity-45"
    >
      <Base.Thumb className="size-3.5 rounded-full bg-field-line transition-[translate,background-color] duration-100 data-checked:translate-x-3.5 data-checked:bg-on-ink" />
    </Base.Root>
  );
}

interface SwitchRowProps extends Omit<SwitchProps, 'describedBy'> {
  /** What it does, in a line. */
  hint: ReactNode;
}

/** A switch with its name and what it does beside it. */
export function SwitchRow({ hint, ...props }: SwitchRowProps) {
  const id = useId();
  return (
    <div className="flex items-start justify-between gap-4 py-2">
      <div className="min-w-0">
        <p aria-hidden>{props.label}</p>
        <p id={id} className="text-xs text-ink-3">
          {hint}
        </p>
      </div>
      <span className="mt-0.5 flex">
        <Switch {...props} describedBy={id} />
      </span>
    </div>
  );
}
