import type { ReactNode } from 'react';
import { Tooltip } from './tooltip';

interface ExplainedProps {
  /** What the figure means, in a sentence or two. */
  by: ReactNode;
  /** The figure as it is read out. */
  label: string;
  children: ReactNode;
}

/** A figure that is not clear by itself: hovering or focusing it says what it means. */
export function Explained({ by, label, children }: ExplainedProps) {
  return (
    <Tooltip content={by}>
      <button
        type="button"
        aria-label={label}
        className="tnum cursor-help rounded-sm underline decoration-line-strong decoration-dotted underline-offset-3 hover:decoration-ink-3"
      >
        {children}
      </button>
    </Tooltip>
  );
}
