import { AlertDialog as Base } from '@base-ui/react/alert-dialog';
import { clsx } from 'clsx';
import { type FormEvent, type ReactNode, useState } from 'react';
import { Button } from './button';
import { Field, TextInput } from './field';
import { backdropClass, popupClass } from './overlay';
import { Notice } from './states';

interface ConfirmDialogProps {
  title: string;
  /** What will happen, in numbers where there are any. */
  children: ReactNode;
  /** The button's verb, the same as the action's name. */
  verb: string;
  /** A name to be typed first, for what cannot be undone. */
  typed?: string;
  pending: boolean;
  error: Error | null;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be undone. Cancel has the focus, so that Enter does no harm. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const { title, children, verb, typed, pending, error, onConfirm, onClose } = props;
  const [text, setText] = useState('');
  const ready = typed === undefined || text.trim() === typed;
  function submit(event: FormEvent) {
    event.preventDefault();
    if (ready && !pending) onConfirm();
  }
  return (
    <Base.Root open onOpenChange={(next) => !next && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={clsx(backdropClass, 'z-40')} />
        <Base.Viewport className="fixed inset-0 z-40 flex items-end justify-center overflow-hidden sm:items-center sm:p-6">
          <Base.Popup className={clsx(popupClass, 'w-full max-w-md max-sm:rounded-b-none')}>
            <form onSubmit={submit}>
              <div className="px-5 pt-4 pb-5">
                <Base.Title className="text-lg font-semibold [overflow-wrap:anywhere]">{title}</Base.Title>
                <Base.Description render={<div />} className="mt-1.5 space-y-2 text-ink-2">
                  {children}
                </Base.Description>
                {typed === undefined ? null : (
                  <div className="mt-4">
                    <Field label={`Type ${typed} to confirm`}>
                      <TextInput
                        value={text}
                        onChange={(event) => setText(event.target.value)}
                        autoComplete="off"
                      />
                    </Field>
                  </div>
                )}
                {error ? (
                  <div className="mt-4">
                    <Notice tone="bad">{error.message}</Notice>
                  </div>
                ) : null}
              </div>
              <div className="flex flex-wrap items-center justify-end gap-2 rounded-b-lg border-t border-line bg-sunken px-5 py-3">
                <Base.Close render={<Button>Cancel</Button>} />
                <Button look="danger" type="submit" disabled={!ready || pending}>
                  {verb}
                </Button>
              </div>
            </form>
          </Base.Popup>
        </Base.Viewport>
      </Base.Portal>
    </Base.Root>
  );
}
