import type { ReactNode } from 'react';

interface ActionButtonProps {
  icon: ReactNode;
  enabled: boolean;
  reason: string | null;
  pending?: boolean;
  danger?: boolean;
  onClick: () => void;
  children: ReactNode;
}

/** One line of a list of things to do; a disabled one says why. */
export function ActionButton({
  icon,
  enabled,
  reason,
  pending = false,
  danger = false,
  onClick,
  children,
}: ActionButtonProps) {
  return (
    <button
      type="button"
      disabled={!enabled || pending}
      onClick={onClick}
      className={`flex min-h-8 w-full cursor-default items-start gap-2.5 px-4 py-1.5 text-left hover:bg-hover focus-visible:-outline-offset-2 disabled:bg-transparent disabled:text-ink-3 coarse:min-h-11 coarse:items-center [&>svg]:mt-0.5 [&>svg]:size-4 [&>svg]:shrink-0 [&>svg]:text-ink-3 ${danger && enabled ? 'text-bad-ink [&>svg]:text-bad-ink' : ''}`}
    >
      {icon}
      <span className="min-w-0 flex-1">
        {children}
        {enabled || !reason ? null : <span className="block text-2xs text-ink-3">{reason}</span>}
      </span>
    </button>
  );
}
