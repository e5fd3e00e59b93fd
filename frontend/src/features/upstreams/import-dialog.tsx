import { useSuspenseQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { poolsQuery } from '@/api';
import { formatBytes } from '@/lib/format';
import { Button } from '@/ui/button';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextInput } from '@/ui/field';
import { Select } from '@/ui/select';
import { Notice } from '@/ui/states';
import { AuthJsonField, MAX_AUTH_JSON_BYTES, NO_AUTH_JSON } from './auth-json-field';
import { importProblem } from './import-problem';
import { useImportUpstream } from './queries';

interface ImportDialogProps {
  /** The account that signs in again, if it is not a new one. */
  again?: string | undefined;
  onClose: () => void;
}

/** Adds a ChatGPT account from the auth.json of a Codex installation. */
export function ImportDialog({ again, onClose }: ImportDialogProps) {
  const { data: pools } = useSuspenseQuery(poolsQuery);
  const usable = pools.items.filter((pool) => pool.status !== 'archived');
  const [file, setFile] = useState(NO_AUTH_JSON);
  const [poolId, setPoolId] = useState(usable[0]?.id ?? '');
  const [poolName, setPoolName] = useState('Main');
  const [label, setLabel] = useState('');
  const [fileError, setFileError] = useState<string>();
  const run = useImportUpstream();

  function submit(event: FormEvent) {
    event.preventDefault();
    const wrong = checkSize(file.text);
    setFileError(wrong);
    if (wrong || run.isPending) return;
    const pool = usable.length > 0 ? { id: poolId } : { name: poolName.trim() || 'Main' };
    run.mutate({ pool, authJson: file.text, label: label.trim() }, { onSuccess: onClose });
  }

  const problem = run.error ? importProblem(run.error) : null;
  return (
    <Dialog
      open
      onClose={onClose}
      title={again ? `Sign ${again} in again` : 'Import an account'}
      description="From the auth.json that Codex writes when you sign in with ChatGPT."
    >
      <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
        <DialogBody>
          <div className="space-y-4">
            {problem ? (
              <Notice tone="bad">
                <p className="font-medium">{problem.title}</p>
                <p className="text-ink-2">{problem.next}</p>
              </Notice>
            ) : null}
            <AuthJsonField
              value={file}
              error={fileError}
              onChange={(next) => {
                setFile(next);
                setFileError(undefined);
                run.reset();
              }}
            />
            <div className="grid gap-4 sm:grid-cols-2">
              {usable.length > 0 ? (
                <Field label="Pool" hint="Its keys may use the account.">
                  <Select
                    value={poolId}
                    onChange={setPoolId}
                    options={usable.map((pool) => ({ value: pool.id, label: pool.name }))}
                  />
                </Field>
              ) : (
                <Field label="Name of the first pool" hint="An account serves through a pool.">
                  <TextInput value={poolName} onChange={(event) => setPoolName(event.target.value)} />
                </Field>
              )}
              {again ? null : (
                <Field label="Label" hint="Optional. How the account is listed.">
                  <TextInput
                    value={label}
                    onChange={(event) => setLabel(event.target.value)}
                    maxLength={100}
                    autoComplete="off"
                  />
                </Field>
              )}
            </div>
            <p className="text-xs text-ink-3">
              Codex Pooler renews this sign-in from now on, and only it may: if Codex goes on with the same
              file, both lose it. For your own Codex, run codex login again.
            </p>
          </div>
        </DialogBody>
        <DialogFooter>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" disabled={run.isPending}>
            {run.isPending ? 'Importing…' : 'Import'}
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}

function checkSize(text: string): string | undefined {
  if (text.trim() === '') return 'Choose or paste an auth.json';
  if (text.length > MAX_AUTH_JSON_BYTES)
    return `An auth.json is smaller than ${formatBytes(MAX_AUTH_JSON_BYTES)}`;
  return undefined;
}
