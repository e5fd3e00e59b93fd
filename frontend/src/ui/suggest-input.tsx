import { Autocomplete } from '@base-ui/react/autocomplete';
import { clsx } from 'clsx';
import { fieldClass, itemClass, popupClass } from './overlay';

interface SuggestInputProps {
  /** The accessible name, where no Field gives one. */
  label?: string;
  value: string;
  onChange: (value: string) => void;
  suggestions: readonly string[];
  placeholder?: string;
  className?: string;
}

/** A line of text with known values to choose from; others may be typed. */
export function SuggestInput({
  label,
  value,
  onChange,
  suggestions,
  placeholder,
  className,
}: SuggestInputProps) {
  return (
    <Autocomplete.Root items={suggestions} value={value} onValueChange={onChange} openOnInputClick>
      <Autocomplete.Input
        aria-label={label}
        placeholder={placeholder}
        spellCheck={false}
        className={clsx(fieldClass, 'w-full', className)}
      />
      <Autocomplete.Portal>
        <Autocomplete.Positioner sideOffset={4} collisionPadding={8} className="z-50">
          <Autocomplete.Popup
            aria-label={label ?? 'Suggestions'}
            className={clsx(popupClass, 'w-(--anchor-width) overflow-hidden data-empty:hidden')}
          >
            <Autocomplete.List className="max-h-60 overflow-y-auto p-1">
              {(suggestion: string) => (
                <Autocomplete.Item key={suggestion} value={suggestion} className={itemClass}>
                  <span className="min-w-0 truncate">{suggestion}</span>
                </Autocomplete.Item>
              )}
            </Autocomplete.List>
          </Autocomplete.Popup>
        </Autocomplete.Positioner>
      </Autocomplete.Portal>
    </Autocomplete.Root>
  );
}
