import { ChevronRight } from 'lucide-react';
import type { ReactNode } from 'react';

interface Choice<T extends string> {
  value: T;
  icon: ReactNode;
  title: string;
  /** When to take it, in a line. */
  detail: string;
}

interface ChoiceListProps<T extends string> {
  label: string;
  choices: readonly Choice<T>[];
  onChoose: (value: T) => void;
}

/** Ways to go on, one of which is taken at once. */
export function ChoiceList<T extends string>({ label, choices, onChoose }: ChoiceListProps<T>) {
  return (
    <ul aria-label={label} className="divide-y divide-line overflow-hidden rounded-lg border border-line">
      {choices.map(({ value, icon, title, detail }) => (
        <li key={value}>
          <button
            type="button"
            onClick={() => onChoose(value)}
            className="flex w-full cursor-default items-center gap-3 px-3.5 py-3 text-left hover:bg-hover focus-visible:-outline-offset-2 [&>svg]:size-4.5 [&>svg]:shrink-0 [&>svg]:text-ink-3"
          >
            {icon}
            <span className="min-w-0 flex-1">
              <span className="block font-medium">{title}</span>
              <span className="block text-xs text-ink-3">{detail}</span>
            </span>
            <ChevronRight aria-hidden className="size-4!" />
          </button>
        </li>
      ))}
    </ul>
  );
}
