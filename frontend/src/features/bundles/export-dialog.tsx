import { type FormEvent, useState } from 'react';
import { ApiError, type Upstream } from '@/api';
import { plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { Checkbox } from '@/ui/checkbox';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextInput } from '@/ui/field';
import { Notice } from '@/ui/states';
import { SwitchRow } from '@/ui/switch';
import { PassphraseFields } from './passphrase-fields';
import { download, useExport } from './queries';
import { LEAST_PASSPHRASE } from './strength';

interface ExportDialogProps {
  /** The accounts to choose from; one alone is not asked about. */
  upstreams: readonly Upstream[];
  onClose: () => void;
}

/** Writes accounts with their logins into a file that only a passphrase opens. */
export function ExportDialog({ upstreams, onClose }: ExportDialogProps) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(upstreams.map(({ id }) => id)));
  const [passphrase, setPassphrase] = useState('');
  const [again, setAgain] = useState('');
  const [password, setPassword] = useState('');
  const [disable, setDisable] = useState(true);
  const [tried, setTried] = useState(false);
  const [file, setFile] = useState<string>();
  const exporting = useExport();
  const [only] = upstreams;
  const wrong = {
    chosen: chosen.size === 0 ? 'Choose at least one account' : undefined,
    passphrase:
      [...passphrase].length < LEAST_PASSPHRASE ? `Use at least ${LEAST_PASSPHRASE} characters` : undefined,
    again: again === passphrase ? undefined : 'The two are not the same',
    password: password === '' ? 'Type your own password' : undefined,
  };
  const shown: Partial<typeof wrong> = tried ? wrong : {};
  const passwordError =
    exporting.error instanceof ApiError ? exporting.error.fieldError('/password') : undefined;

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (Object.values(wrong).some(Boolean)) return;
    const all = chosen.size === upstreams.length && upstreams.length > 1;
    exporting.mutate(
      { upstream_ids: all ? null : [...chosen], passphrase, password, disable },
      { onSuccess: (bundle) => setFile(download(bundle)) },
    );
  }

  if (file)
    return (
      <Exported
        file={file}
        count={exporting.data?.accounts ?? chosen.size}
        paused={disable}
        onClose={onClose}
      />
    );
  return (
    <Dialog
      open
      onClose={onClose}
      dismissable={false}
      title={upstreams.length === 1 && only ? `Export ${only.label}` : 'Export accounts'}
      description="Into a file that only the passphrase opens, to be imported by another Codex Pooler."
    >
      <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
        <DialogBody>
          <div className="space-y-4">
            {exporting.error && !passwordError ? <Notice tone="bad">{exporting.error.message}</Notice> : null}
            {upstreams.length > 1 ? (
              <Choice upstreams={upstreams} chosen={chosen} onChange={setChosen} error={shown.chosen} />
            ) : null}
            <PassphraseFields
              value={passphrase}
              again={again}
              onChange={setPassphrase}
              onAgain={setAgain}
              error={shown.passphrase}
              againError={shown.passphrase ? undefined : shown.again}
            />
            <div className="rounded-md border border-line px-3">
              <SwitchRow
                label="Pause them here"
                hint="Of two instances with the same sign-in the slower one loses it. Leave this on unless this instance is about to be switched off."
                checked={disable}
                onChange={setDisable}
              />
            </div>
            {disable ? null : (
              <Notice tone="warn">
                A refresh token works once. As soon as either instance renews one of these sign-ins, the other
                has lost the account.
              </Notice>
            )}
            <Field
              label="Your password"
              hint="The file holds every sign-in, so you are asked once more."
              error={shown.password ?? passwordError}
            >
              <TextInput
                type="password"
                value={password}
                onChange={(event) => setPassword(event.target.value)}
                autoComplete="current-password"
              />
            </Field>
          </div>
        </DialogBody>
        <DialogFooter>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" disabled={exporting.isPending}>
            {exporting.isPending ? 'Sealing…' : `Export ${plural(chosen.size, 'account')}`}
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}

interface ChoiceProps {
  upstreams: readonly Upstream[];
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
  error: string | undefined;
}

function Choice({ upstreams, chosen, onChange, error }: ChoiceProps) {
  const all = chosen.size === upstreams.length;
  function choose(id: string, on: boolean) {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    onChange(next);
  }
  return (
    <fieldset>
      <div className="flex items-center justify-between">
        <legend className="text-xs font-medium text-ink-2">Accounts</legend>
        <Button
          look="ghost"
          size="sm"
          onClick={() => onChange(new Set(all ? [] : upstreams.map(({ id }) => id)))}
        >
          {all ? 'None' : 'All'}
        </Button>
      </div>
      <div className="grid max-h-44 grid-cols-2 gap-x-4 overflow-y-auto rounded-md border border-line px-3 py-1.5">
        {upstreams.map(({ id, label }) => (
          <Checkbox key={id} label={label} checked={chosen.has(id)} onChange={(on) => choose(id, on)} />
        ))}
      </div>
      {error ? (
        <p role="alert" className="mt-1 text-xs text-bad-ink">
          {error}
        </p>
      ) : null}
    </fieldset>
  );
}

interface ExportedProps {
  file: string;
  count: number;
  paused: boolean;
  onClose: () => void;
}

function Exported({ file, count, paused, onClose }: ExportedProps) {
  return (
    <Dialog open onClose={onClose} title={`${plural(count, 'account')} exported`}>
      <DialogBody focusOnMount>
        <p>
          <code className="font-mono text-xs">{file}</code> was saved by your browser. On the other instance:
          Upstreams, Move accounts, Import a bundle.
        </p>
        <p className="mt-2 text-ink-2">
          {paused
            ? 'Here they are paused and no longer renewed. Delete them once they serve there.'
            : 'They still serve here. Pause them before the other instance takes over.'}
        </p>
      </DialogBody>
      <DialogFooter>
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </DialogFooter>
    </Dialog>
  );
}
