import { useSuspenseQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { ApiError, isApiError, poolsQuery } from '@/api';
import { Button, buttonClass } from '@/ui/button';
import { DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextInput } from '@/ui/field';
import { Select } from '@/ui/select';
import { Notice } from '@/ui/states';
import { SwitchRow } from '@/ui/switch';
import { InviteLink } from './invite-link';
import { useCreateInvite } from './invite-queries';

const VALIDITY = [
  { value: '4', label: '4 hours' },
  { value: '24', label: '1 day' },
  { value: '72', label: '3 days' },
  { value: '168', label: '7 days' },
];

interface InviteFormProps {
  /** The pool to begin with. */
  poolId?: string | undefined;
  /** Shown in place of Cancel, where another step comes before. */
  onBack?: () => void;
  onClose: () => void;
}

/** Asks somebody to sign in with their own ChatGPT account, without handing out a password. */
export function InviteForm({ poolId, onBack, onClose }: InviteFormProps) {
  const { data: pools } = useSuspenseQuery(poolsQuery);
  const usable = pools.items.filter((pool) => pool.status === 'active');
  const [email, setEmail] = useState('');
  const [pool, setPool] = useState(usable.find(({ id }) => id === poolId)?.id ?? usable[0]?.id);
  const [hours, setHours] = useState('24');
  const [note, setNote] = useState('');
  const [send, setSend] = useState(false);
  const [giveKey, setGiveKey] = useState(false);
  const [emailError, setEmailError] = useState<string>();
  const create = useCreateInvite();
  if (create.data) return <InviteLink invite={create.data} onClose={onClose} />;
  if (!pool) return <NoPool />;

  function submit(event: FormEvent) {
    event.preventDefault();
    const wrong = /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email.trim())
      ? undefined
      : 'Enter the address of one person';
    setEmailError(wrong);
    if (wrong || !pool || create.isPending) return;
    create.mutate({
      pool_id: pool,
      email: email.trim(),
      send_email: send,
      ttl_hours: Number(hours),
      issue_api_key: giveKey,
      ...(note.trim() ? { note: note.trim() } : {}),
    });
  }
  const atEmail = create.error instanceof ApiError ? create.error.fieldError('/email') : undefined;
  return (
    <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
      <DialogBody focusOnMount>
        <div className="space-y-4">
          {create.error && !atEmail ? <Notice tone="bad">{explain(create.error)}</Notice> : null}
          <Field
            label="E-mail"
            hint="Of the ChatGPT account. Somebody who signs in with another one is refused."
            error={emailError ?? atEmail}
          >
            <TextInput
              type="email"
              value={email}
              onChange={(event) => {
                setEmail(event.target.value);
                setEmailError(undefined);
                create.reset();
              }}
              autoComplete="off"
            />
          </Field>
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label="Pool" hint="Whose clients may use the account.">
              <Select
                value={pool}
                onChange={setPool}
                options={usable.map(({ id, name }) => ({ value: id, label: name }))}
              />
            </Field>
            <Field label="Link valid for">
              <Select value={hours} onChange={setHours} options={VALIDITY} />
            </Field>
          </div>
          <Field label="Note" hint="Optional, for operators only.">
            <TextInput
              value={note}
              onChange={(event) => setNote(event.target.value)}
              maxLength={200}
              autoComplete="off"
            />
          </Field>
          <div className="border-t border-line pt-1">
            <SwitchRow
              label="Mail the link"
              hint="Otherwise you copy it and hand it over yourself."
              checked={send}
              onChange={setSend}
            />
            <SwitchRow
              label="Give a key"
              hint="After the sign-in the person is shown a new key of the pool, once."
              checked={giveKey}
              onChange={setGiveKey}
            />
          </div>
        </div>
      </DialogBody>
      <DialogFooter>
        <Button className={onBack ? 'mr-auto' : ''} onClick={onBack ?? onClose}>
          {onBack ? 'Back' : 'Cancel'}
        </Button>
        <Button look="primary" type="submit" disabled={create.isPending}>
          {create.isPending ? 'Creating…' : send ? 'Send the invite' : 'Create the link'}
        </Button>
      </DialogFooter>
    </form>
  );
}

/** What helps against the refusals that an invite can meet. */
export function explain(error: Error): string {
  if (isApiError(error, 'invite_exists'))
    return 'This address has an open invite for the pool already. Make a new link for that one, or revoke it first.';
  if (isApiError(error, 'invite_consumed')) return 'The invite was accepted in the meantime.';
  if (isApiError(error) && error.fieldError('/send_email'))
    return 'Mail is not set up, so nothing can be sent. Switch it off here and copy the link, or set up SMTP in the settings.';
  return error.message;
}

function NoPool() {
  return (
    <>
      <DialogBody>
        <p className="text-ink-2">An invite leads into a pool, and there is none that serves.</p>
      </DialogBody>
      <DialogFooter>
        <Link to="/pools" search={{ dialog: 'new' }} className={buttonClass('primary')}>
          New pool
        </Link>
      </DialogFooter>
    </>
  );
}
