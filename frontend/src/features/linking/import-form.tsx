import { type FormEvent, useState } from 'react';
import { formatInteger, plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextInput } from '@/ui/field';
import { documentProblem, documentsOf, type LoginDocument } from './documents';
import { EgressField, OWNER_NOTE } from './egress-field';
import { ImportResults } from './import-results';
import { type LoginFiles, LoginFilesField, NO_LOGIN_FILES, sourcesOf } from './login-files-field';
import { usePoolChoice } from './pool-field';
import { ProblemNotice } from './problem-notice';
import { problemOf, problemOfCode, proxyProblem } from './problems';
import { useImportLogin, useImportMany } from './queries';

interface ImportFormProps {
  onBack: () => void;
  onClose: () => void;
}

/** Adds accounts from the auth.json files of Codex installations: one at once, many with a list of what became of each. */
export function ImportForm({ onBack, onClose }: ImportFormProps) {
  const [files, setFiles] = useState(NO_LOGIN_FILES);
  const [label, setLabel] = useState('');
  const [egressProxy, setEgressProxy] = useState('');
  const [fileError, setFileError] = useState<string>();
  const [done, setDone] = useState(0);
  const pool = usePoolChoice();
  const one = useImportLogin();
  const many = useImportMany();
  const documents = documentsOf(sourcesOf(files));
  const error = one.error ?? many.error;
  const pending = one.isPending || many.isPending;

  function change(next: LoginFiles) {
    setFiles(next);
    setFileError(undefined);
    one.reset();
    many.reset();
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    const wrong = refusal(documents);
    setFileError(wrong);
    const [first] = documents;
    if (wrong || pending || !first) return;
    const common = { pool: pool.target, egressProxy: egressProxy.trim() };
    if (documents.length > 1) {
      setDone(0);
      many.mutate({ ...common, documents, onProgress: setDone });
      return;
    }
    one.mutate({ ...common, login: { auth_json: first.text }, label: label.trim() }, { onSuccess: onClose });
  }

  if (many.data)
    return (
      <ImportResults
        outcomes={many.data}
        onRetry={(left) =>
          change({ pasted: '', files: left.map(({ source, text }) => ({ name: source, text })) })
        }
        onClose={onClose}
      />
    );
  const proxyError = proxyProblem(error);
  return (
    <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
      <DialogBody focusOnMount>
        <div className="space-y-4">
          {error && !proxyError ? <ProblemNotice problem={problemOf(error)} /> : null}
          <LoginFilesField value={files} error={fileError} onChange={change} />
          <div className="grid gap-4 sm:grid-cols-2">
            {pool.field}
            {documents.length > 1 ? null : (
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
          <p className="text-xs text-ink-3">{OWNER_NOTE}</p>
          <EgressField value={egressProxy} onChange={setEgressProxy} error={proxyError} />
        </div>
      </DialogBody>
      <DialogFooter>
        <Button className="mr-auto" onClick={onBack}>
          Back
        </Button>
        <Button look="primary" type="submit" disabled={pending}>
          {pending ? progressText(done, documents.length) : importText(documents.length)}
        </Button>
      </DialogFooter>
    </form>
  );
}

function importText(count: number): string {
  return count > 1 ? `Import ${plural(count, 'account')}` : 'Import';
}

function progressText(done: number, all: number): string {
  return all > 1 ? `Importing, ${formatInteger(done)} of ${formatInteger(all)} done…` : 'Importing…';
}

/** Why nothing can be sent. One that is too large among many is named, because the others wait for it. */
export function refusal(documents: readonly LoginDocument[]): string | undefined {
  if (documents.length === 0) return 'Choose or paste an auth.json';
  const large = documents.find((document) => documentProblem(document) !== null);
  if (!large) return undefined;
  const { title, next } = problemOfCode('body_too_large');
  return documents.length > 1 ? `${large.source}: ${title}. ${next}` : `${title}. ${next}`;
}
