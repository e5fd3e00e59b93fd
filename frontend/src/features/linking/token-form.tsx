import { type FormEvent, useState } from 'react';
import { ApiError } from '@/api';
import { Button } from '@/ui/button';
import { DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextInput } from '@/ui/field';
import { EgressField } from './egress-field';
import { usePoolChoice } from './pool-field';
import { ProblemNotice } from './problem-notice';
import { problemOf, proxyProblem } from './problems';
import { useImportLogin } from './queries';
import { TokenField, tokenRefusal } from './token-field';

interface TokenFormProps {
  onBack: () => void;
  onClose: () => void;
}

/** Adds an account by an access token that its workspace issued. */
export function TokenForm({ onBack, onClose }: TokenFormProps) {
  const [token, setToken] = useState('');
  const [tokenError, setTokenError] = useState<string>();
  const [label, setLabel] = useState('');
  const [expiresOn, setExpiresOn] = useState('');
  const [egressProxy, setEgressProxy] = useState('');
  const pool = usePoolChoice();
  const run = useImportLogin();
  const expiryError =
    expiresOn !== '' && Date.parse(expiresOn) < Date.now() ? 'Choose a moment in the future' : undefined;

  function submit(event: FormEvent) {
    event.preventDefault();
    const wrong = tokenRefusal(token);
    setTokenError(wrong);
    if (wrong || expiryError || run.isPending) return;
    run.mutate(
      {
        pool: pool.target,
        login: { access_token: token.trim() },
        label: label.trim(),
        egressProxy: egressProxy.trim(),
        expiresAt: expiresOn === '' ? undefined : new Date(expiresOn).toISOString(),
      },
      { onSuccess: onClose },
    );
  }

  const fieldError = (pointer: string) =>
    run.error instanceof ApiError ? run.error.fieldError(pointer) : undefined;
  const proxyError = proxyProblem(run.error);
  const shown = proxyError ?? fieldError('/expires_at') ?? fieldError('/access_token');
  return (
    <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
      <DialogBody focusOnMount>
        <div className="space-y-4">
          {run.error && !shown ? <ProblemNotice problem={problemOf(run.error)} /> : null}
          <TokenField
            value={token}
            error={tokenError ?? fieldError('/access_token')}
            onChange={(next) => {
              setToken(next);
              setTokenError(undefined);
              run.reset();
            }}
          />
          <div className="grid gap-4 sm:grid-cols-2">
            {pool.field}
            <Field label="Label" hint="Optional. How the account is listed.">
              <TextInput
                value={label}
                onChange={(event) => setLabel(event.target.value)}
                maxLength={100}
                autoComplete="off"
              />
            </Field>
            <Field
              label="Valid until"
              hint="Optional, if it was created with an end."
              error={expiryError ?? fieldError('/expires_at')}
            >
              <TextInput
                type="datetime-local"
                value={expiresOn}
                onChange={(event) => setExpiresOn(event.target.value)}
              />
            </Field>
          </div>
          <p className="text-xs text-ink-3">
            An access token cannot be renewed. When it ends or is revoked, the account asks for a new one.
          </p>
          <EgressField value={egressProxy} onChange={setEgressProxy} error={proxyError} />
        </div>
      </DialogBody>
      <DialogFooter>
        <Button className="mr-auto" onClick={onBack}>
          Back
        </Button>
        <Button look="primary" type="submit" disabled={run.isPending}>
          {run.isPending ? 'Checking the token…' : 'Add account'}
        </Button>
      </DialogFooter>
    </form>
  );
}
