import { Switch as Base } from '@base-ui/react/switch';

interface SwitchProps {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}

/** Something that is on or off at once, without a save button. */
export function Switch({ label, checked, onChange, disabled = false }: SwitchProps) {
  return (
    <Base.Root
      aria-label={label}
      checked={checked}
      onCheckedChange={onChange}
      disabled={disabled}
      className="relative inline-flex h-5 w-8.5 shrink-0 cursor-default rounded-full border border-field-line bg-sunken p-0.5 transition-colors duration-100 after:absolute after:-inset-x-1 after:-inset-y-3 data-checked:border-ink data-checked:bg-ink data-disabled:opacity-45"
    >
      <Base.Thumb className="size-3.5 rounded-full bg-field-line transition-[translate,background-color] duration-100 data-checked:translate-x-3.5 data-checked:bg-on-ink" />
    </Base.Root>
  );
}
