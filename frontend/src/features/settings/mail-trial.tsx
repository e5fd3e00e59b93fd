import { type FormEvent, useState } from 'react';
import { Button } from '@/ui/button';
import { Field, TextInput } from '@/ui/field';
import { Notice } from '@/ui/states';
import { useTryMail } from './queries';

/** Sends a mail with the settings as they are stored. */
export function MailTrial({ unsaved }: { unsaved: boolean }) {
  const trial = useTryMail();
  const [to, setTo] = useState('');
  // An answer about another address than the one in the form would mislead.
  const current = trial.variables?.to === to.trim();
  function submit(event: FormEvent) {
    event.preventDefault();
    if (to.trim() !== '') trial.mutate({ to: to.trim() });
  }
  return (
    <form onSubmit={submit} noValidate aria-label="Try mail" className="border-t border-line px-4 py-3">
      <h3 className="font-medium">Does mail go out?</h3>
      <p className="mb-3 text-xs text-ink-3">
        {unsaved
          ? 'Save first: tried with the settings as they are.'
          : 'Tried with the settings as they are.'}
      </p>
      <div className="flex flex-wrap items-end gap-2.5">
        <div className="min-w-0 flex-1 basis-48">
          <Field label="Send a test mail to">
            <TextInput
              type="email"
              value={to}
              onChange={(event) => setTo(event.target.value)}
              placeholder="you@example.com"
              autoComplete="email"
              spellCheck={false}
            />
          </Field>
        </div>
        <Button type="submit" disabled={trial.isPending || to.trim() === ''}>
          Send
        </Button>
      </div>
      <div role="status">
        {trial.error && current ? (
          <Notice tone="bad">{trial.error.message}</Notice>
        ) : trial.data && current ? (
          <Notice tone="info">
            {trial.data.host} took the mail. Look whether it arrives, also among the spam.
          </Notice>
        ) : null}
      </div>
    </form>
  );
}
