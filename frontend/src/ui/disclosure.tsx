import { ChevronRight } from 'lucide-react';
import { type ReactNode, useState } from 'react';

interface DisclosureProps {
  title: string;
  /** What is inside, in few words, while it is closed. */
  summary?: string | undefined;
  /** Turning true opens it, as when something inside needs attention; it never closes by itself. */
  open: boolean;
  children: ReactNode;
}

/** A part of a form that most people leave as it is. What it holds stays in the form while it is closed. */
export function Disclosure({ title, summary, open, children }: DisclosureProps) {
  const [shown, setShown] = useState(open);
  const [wanted, setWanted] = useState(open);
  if (open !== wanted) {
    setWanted(open);
    if (open) setShown(true);
  }
  return (
    <details
      open={shown}
      onToggle={(event) => setShown(event.currentTarget.open)}
      className="group border-t border-line"
    >
      <summary className="-mx-1 flex cursor-default list-none items-center gap-2 rounded-md px-1 py-2.5 select-none hover:bg-hover coarse:min-h-11 [&::-webkit-details-marker]:hidden">
        <ChevronRight
          aria-hidden
          className="size-4 shrink-0 text-ink-3 transition-transform duration-100 group-open:rotate-90"
        />
        <span className="font-medium">{title}</span>
        {summary ? (
          <span className="ml-auto min-w-0 truncate text-xs text-ink-3 group-open:hidden">{summary}</span>
        ) : null}
      </summary>
      <div className="pt-1 pb-4">{children}</div>
    </details>
  );
}
