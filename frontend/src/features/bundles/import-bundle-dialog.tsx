import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useRef, useState } from 'react';
import { ApiError, type ImportedBundle, poolsQuery } from '@/api';
import { formatDate, plural } from '@/lib/format';
import { usePreferences } from '@/lib/preferences';
import { Button } from '@/ui/button';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextInput } from '@/ui/field';
import { Select } from '@/ui/select';
import { Notice } from '@/ui/states';
import { StatusDot, type Tone } from '@/ui/status';
import { useImportBundle } from './queries';

interface BundleFile {
  name: string;
  bundle: Record<string, unknown>;
}

type Moved = ImportedBundle['items'][number];

const NO_POOL = 'none';

const RESULTS: Record<Moved['result'], { tone: Tone; planned: string; done: string }> = {
  created: { tone: 'ok', planned: 'Will be added', done: 'Added' },
  updated: { tone: 'info', planned: 'Gets the newer sign-in', done: 'Sign-in replaced' },
  kept: { tone: 'idle', planned: 'Stays: the one here is newer', done: 'Left as it was' },
  failed: { tone: 'bad', planned: 'Cannot be taken in', done: 'Refused' },
};

/** Takes in the accounts of a file from an export, after showing what would become of each. */
export function ImportBundleDialog({ onClose }: { onClose: () => void }) {
  const [file, setFile] = useState<BundleFile>();
  const [fileError, setFileError] = useState<string>();
  const [passphrase, setPassphrase] = useState('');
  const [password, setPassword] = useState('');
  const [poolId, setPoolId] = useState<string>(NO_POOL);
  const [tried, setTried] = useState(false);
  const look = useImportBundle();
  const take = useImportBundle();
  const { data: pools } = useQuery(poolsQuery);
  const passwordError = look.error instanceof ApiError ? look.error.fieldError('/password') : undefined;
  const missing = {
    file: file ? undefined : (fileError ?? 'Choose the file of an export'),
    passphrase: passphrase === '' ? 'Type the passphrase of the export' : undefined,
    password: password === '' ? 'Type your own password' : undefined,
  };
  const shown: Partial<typeof missing> = tried ? missing : { file: fileError };

  function send(through: typeof look, dry_run: boolean) {
    if (!file) return;
    through.mutate({
      bundle: file.bundle,
      passphrase,
      password,
      dry_run,
      ...(poolId === NO_POOL ? {} : { pool_id: poolId }),
    });
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (!Object.values(missing).some(Boolean)) send(look, true);
  }

  async function read(chosen: File | undefined) {
    if (!chosen) return;
    setFileError(undefined);
    const bundle = await readBundle(chosen);
    setFile(bundle ? { name: chosen.name, bundle } : undefined);
    if (!bundle) setFileError(`${chosen.name} is no bundle of accounts.`);
  }

  const result = take.data ?? look.data;
  if (result)
    return (
      <Preview
        result={result}
        pending={take.isPending}
        error={take.error}
        onBack={() => {
          look.reset();
          take.reset();
        }}
        onImport={() => send(take, false)}
        onClose={onClose}
      />
    );
  return (
    <Dialog
      open
      onClose={onClose}
      dismissable={false}
      title="Import a bundle"
      description="Accounts that were exported from another Codex Pooler, with their sign-ins."
    >
      <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
        <DialogBody>
          <div className="space-y-4">
            {look.error && !passwordError ? <Notice tone="bad">{look.error.message}</Notice> : null}
            <FilePicker file={file} error={shown.file} onTake={read} />
            <Field label="Passphrase" error={shown.passphrase}>
              <TextInput
                type="password"
                value={passphrase}
                onChange={(event) => setPassphrase(event.target.value)}
                autoComplete="off"
              />
            </Field>
            <Field label="Pool" hint="Where new accounts go. Those that are here stay where they are.">
              <Select
                value={poolId}
                onChange={setPoolId}
                options={[
                  { value: NO_POOL, label: 'None yet' },
                  ...(pools?.items ?? [])
                    .filter(({ status }) => status !== 'archived')
                    .map(({ id, name }) => ({ value: id, label: name })),
                ]}
              />
            </Field>
            <Field label="Your password" error={shown.password ?? passwordError}>
              <TextInput
                type="password"
                value={password}
                onChange={(event) => setPassword(event.target.value)}
                autoComplete="current-password"
              />
            </Field>
            <p className="text-xs text-ink-3">
              Pause the accounts on the instance they come from first: a refresh token works once, and whoever
              uses it second has lost the account.
            </p>
          </div>
        </DialogBody>
        <DialogFooter>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" disabled={look.isPending}>
            {look.isPending ? 'Opening…' : 'Look inside'}
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}

interface FilePickerProps {
  file: BundleFile | undefined;
  error: string | undefined;
  onTake: (file: File | undefined) => void;
}

function FilePicker({ file, error, onTake }: FilePickerProps) {
  const picker = useRef<HTMLInputElement>(null);
  const { timeZone } = usePreferences();
  const made = file?.bundle.created_at;
  const accounts = file?.bundle.accounts;
  return (
    <div
      role="group"
      aria-label="Bundle"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        onTake(event.dataTransfer.files[0]);
      }}
    >
      <p className="mb-1 text-xs font-medium text-ink-2">Bundle</p>
      <div className="flex flex-wrap items-center gap-3 rounded-md border border-dashed border-line-strong px-3 py-2.5">
        <Button size="sm" onClick={() => picker.current?.click()}>
          {file ? 'Another file…' : 'Choose a file…'}
        </Button>
        <span className="min-w-0 flex-1 text-ink-3">
          {file ? (
            <>
              <span className="block truncate font-mono text-xs text-ink">{file.name}</span>
              <span className="text-xs">
                {typeof accounts === 'number' ? plural(accounts, 'account') : ''}
                {typeof made === 'string' ? `, made ${formatDate(made, 'day-time', timeZone)}` : ''}
              </span>
            </>
          ) : (
            'or drop it here'
          )}
        </span>
      </div>
      {error ? (
        <p role="alert" className="mt-1 text-xs text-bad-ink">
          {error}
        </p>
      ) : null}
      <input
        ref={picker}
        type="file"
        accept=".json,application/json"
        aria-label="Choose a bundle"
        hidden
        onChange={(event) => {
          onTake(event.target.files?.[0]);
          event.target.value = '';
        }}
      />
    </div>
  );
}

interface PreviewProps {
  result: ImportedBundle;
  pending: boolean;
  error: Error | null;
  onBack: () => void;
  onImport: () => void;
  onClose: () => void;
}

function Preview({ result: { dry_run, items }, pending, error, onBack, onImport, onClose }: PreviewProps) {
  const changes = items.filter(({ result }) => result === 'created' || result === 'updated').length;
  return (
    <Dialog
      open
      onClose={onClose}
      dismissable={!dry_run}
      title={
        dry_run
          ? `${plural(items.length, 'account')} in the bundle`
          : `${plural(changes, 'account')} taken in`
      }
      description={dry_run ? 'Nothing has been stored yet.' : undefined}
    >
      <DialogBody focusOnMount>
        {error ? (
          <div className="mb-3">
            <Notice tone="bad">{error.message}</Notice>
          </div>
        ) : null}
        <div className="overflow-hidden rounded-lg border border-line">
          <table aria-label="Accounts of the bundle" className="w-full text-left">
            <thead className="bg-sunken text-xs text-ink-3">
              <tr>
                <th scope="col" className="px-3 py-1.5 font-medium">
                  Account
                </th>
                <th scope="col" className="px-3 py-1.5 font-medium">
                  {dry_run ? 'What will happen' : 'What happened'}
                </th>
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {items.map(({ label, result, detail }, i) => {
                const { tone, planned, done } = RESULTS[result];
                return (
                  // biome-ignore lint/suspicious/noArrayIndexKey: two accounts may have the same label
                  <tr key={i} className="align-top">
                    <td className="px-3 py-2 font-medium">{label}</td>
                    <td className="px-3 py-2">
                      <StatusDot tone={tone}>{dry_run ? planned : done}</StatusDot>
                      {detail ? <p className="text-xs text-ink-3">{detail}</p> : null}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      </DialogBody>
      <DialogFooter>
        {dry_run ? (
          <>
            <Button onClick={onBack}>Back</Button>
            <Button look="primary" disabled={pending || changes === 0} onClick={onImport}>
              {changes === 0 ? 'Nothing to take in' : `Import ${plural(changes, 'account')}`}
            </Button>
          </>
        ) : (
          <Button look="primary" onClick={onClose}>
            Done
          </Button>
        )}
      </DialogFooter>
    </Dialog>
  );
}

/** The file's content if it looks like a bundle; the server says the rest. */
async function readBundle(file: File): Promise<Record<string, unknown> | null> {
  try {
    const content: unknown = JSON.parse(await file.text());
    const is = typeof content === 'object' && content !== null && 'ciphertext' in content;
    return is ? (content as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
