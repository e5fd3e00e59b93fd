import { useBlocker } from '@tanstack/react-router';
import { ConfirmDialog } from '@/ui/confirm-dialog';

/** Asks before the page is left while something in it is not saved. */
export function LeaveGuard({ title }: { title: string }) {
  const { status, proceed, reset } = useBlocker({
    shouldBlockFn: ({ current, next }) => next.pathname !== current.pathname,
    enableBeforeUnload: true,
    withResolver: true,
  });
  if (status !== 'blocked') return null;
  return (
    <ConfirmDialog
      title="Leave without saving?"
      verb="Leave"
      pending={false}
      error={null}
      onConfirm={proceed}
      onClose={reset}
    >
      <p>Your changes to {title.toLowerCase()} are not saved yet.</p>
    </ConfirmDialog>
  );
}
