import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { CircleCheck } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { type OAuthFlow, poolsQuery, type Upstream, upstreamsQuery } from '@/api';
import { Button, buttonClass } from '@/ui/button';
import { DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextInput } from '@/ui/field';
import { PrivateEmail } from '@/ui/private';
import { ErrorState, Skeleton } from '@/ui/states';
import { useNameAccount } from './queries';

interface LinkedProps {
  flow: OAuthFlow;
  /** Adds the next account. */
  onAgain: (() => void) | undefined;
  onClose: () => void;
}

/** The account that a sign-in brought, and what comes next. */
export function Linked({ flow, onAgain, onClose }: LinkedProps) {
  const { data, error, refetch } = useQuery(upstreamsQuery);
  const account = data?.items.find(({ id }) => id === flow.result?.upstream_id);
  if (error) return <ErrorState error={error} retry={refetch} />;
  if (!account)
    return (
      <DialogBody focusOnMount>
        <Skeleton className="h-24 rounded-md" />
      </DialogBody>
    );
  return <LinkedAccount account={account} flow={flow} onAgain={onAgain} onClose={onClose} />;
}

function LinkedAccount({ account, flow, onAgain, onClose }: LinkedProps & { account: Upstream }) {
  const created = flow.result?.created ?? false;
  const [label, setLabel] = useState(account.label);
  const name = useNameAccount();
  const text = label.trim();

  function leave(then: () => void) {
    if (!created || text === '' || text === account.label) then();
    else name.mutate({ id: account.id, label: text }, { onSuccess: then });
  }
  function submit(event: FormEvent) {
    event.preventDefault();
    leave(onClose);
  }
  return (
    <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
      <DialogBody focusOnMount>
        <div className="space-y-4">
          <p role="status" className="flex items-start gap-2.5">
            <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-ok" />
            <span>
              <span className="font-medium">
                {created ? `Added to ${flow.pool.name}` : `${account.label} has a new sign-in`}
              </span>
              <span className="block text-ink-3">
                {account.email ? <PrivateEmail>{account.email}</PrivateEmail> : account.account_ref} ·{' '}
                {account.plan.label}
              </span>
            </span>
          </p>
          {created ? (
            <Field label="Label" hint="How the account is listed." error={name.error?.message}>
              <TextInput
                value={label}
                onChange={(event) => setLabel(event.target.value)}
                maxLength={100}
                autoComplete="off"
              />
            </Field>
          ) : (
            <p className="text-ink-2">Its label, pools and history are as before.</p>
          )}
          {created ? <KeyHint flow={flow} /> : null}
        </div>
      </DialogBody>
      <DialogFooter>
        {onAgain ? (
          <Button disabled={name.isPending} onClick={() => leave(onAgain)}>
            Add another
          </Button>
        ) : null}
        <Button look="primary" type="submit" disabled={name.isPending}>
          Done
        </Button>
      </DialogFooter>
    </form>
  );
}

/** An account serves through a key of its pool; a pool without one serves nobody. */
function KeyHint({ flow }: { flow: OAuthFlow }) {
  const { data: pools } = useQuery(poolsQuery);
  const pool = pools?.items.find(({ id }) => id === flow.pool.id);
  if (!pool) return null;
  if (pool.counts.active_api_keys > 0)
    return <p className="text-ink-2">Clients with a key of {pool.name} use it from now on.</p>;
  return (
    <div className="flex flex-wrap items-center justify-between gap-2 rounded-md bg-sunken px-3 py-2">
      <p className="text-ink-2">{pool.name} has no key yet, so no client can use it.</p>
      <Link
        to="/api-keys"
        search={{ dialog: 'new', pool: [pool.id] }}
        className={buttonClass('secondary', 'sm')}
      >
        New key
      </Link>
    </div>
  );
}
