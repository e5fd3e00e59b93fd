import { ChevronsUpDown } from 'lucide-react';
import type { ComponentProps } from 'react';
import { useOperator } from '@/features/session';

/** Who is signed in; the trigger of the account menu, and its place until the menu is loaded. */
export function AccountButton(props: ComponentProps<'button'>) {
  const { display_name, initials } = useOperator();
  return (
    <button
      {...props}
      type="button"
      className="flex w-full min-w-0 cursor-default items-center gap-2.5 rounded-md px-2 py-1.5 text-left hover:bg-hover data-popup-open:bg-hover coarse:min-h-11"
    >
      <span
        aria-hidden
        className="grid size-6.5 shrink-0 place-items-center rounded-full border border-line-strong bg-surface text-2xs font-semibold text-ink-2"
      >
        {initials}
      </span>
      <span className="sr-only">{`Account of ${display_name}`}</span>
      <span aria-hidden className="min-w-0 flex-1 truncate font-medium">
        {display_name}
      </span>
      <ChevronsUpDown aria-hidden className="size-3.5 shrink-0 text-ink-3" />
    </button>
  );
}
