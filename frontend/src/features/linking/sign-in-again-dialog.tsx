import { type FormEvent, useState } from 'react';
import type { Upstream } from '@/api';
import { Button } from '@/ui/button';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Segmented } from '@/ui/segmented';
import { documentsOf } from './documents';
import { OWNER_NOTE } from './egress-field';
import { refusal } from './import-form';
import { LinkForm } from './link-form';
import { LoginFilesField, NO_LOGIN_FILES, sourcesOf } from './login-files-field';
import { ProblemNotice } from './problem-notice';
import { problemOf } from './problems';
import { useReplaceCredentials } from './queries';
import { TokenField, tokenRefusal } from './token-field';

interface AccountProps {
  upstream: Upstream;
  onClose: () => void;
}

/** A new sign-in for an account that keeps its label, its pools and its history. */
export function RelinkDialog({ upstream, onClose }: AccountProps) {
  const [kind, setKind] = useState<'browser' | 'device'>('browser');
  return (
    <Dialog
      open
      onClose={onClose}
      dismissable={false}
      title={`Sign ${upstream.label} in again`}
      description="It keeps its label, its pools and its history."
    >
      <div className="px-5 pb-3">
        <Segmented
          label="How"
          value={kind}
          onChange={setKind}
          options={[
            { value: 'browser', label: 'Browser' },
            { value: 'device', label: 'Device code' },
          ]}
        />
      </div>
      <LinkForm key={kind} kind={kind} upstream={upstream} onClose={onClose} />
    </Dialog>
  );
}

/** New credentials, brought as they are, for the same account. */
export function ReplaceCredentialsDialog({ upstream, onClose }: AccountProps) {
  const [kind, setKind] = useState<'file' | 'token'>(upstream.credential.kind === 'oauth' ? 'file' : 'token');
  const [files, setFiles] = useState(NO_LOGIN_FILES);
  const [token, setToken] = useState('');
  const [wrong, setWrong] = useState<string>();
  const replace = useReplaceCredentials();
  const documents = documentsOf(sourcesOf(files));

  function submit(event: FormEvent) {
    event.preventDefault();
    const refused = kind === 'token' ? tokenRefusal(token) : refusal(documents);
    setWrong(refused);
    if (refused || replace.isPending) return;
    const login = kind === 'token' ? { access_token: token.trim() } : { auth_json: documents[0]?.text ?? '' };
    replace.mutate({ upstream, login }, { onSuccess: onClose });
  }
  function changed() {
    setWrong(undefined);
    replace.reset();
  }
  return (
    <Dialog
      open
      onClose={onClose}
      dismissable={false}
      title={`Replace the credentials of ${upstream.label}`}
      description="They must belong to the same account and workspace. Label, pools and history stay."
    >
      <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
        <DialogBody>
          <div className="space-y-4">
            {replace.error ? <ProblemNotice problem={problemOf(replace.error)} /> : null}
            <Segmented
              label="What"
              value={kind}
              onChange={(next) => {
                setKind(next);
                changed();
              }}
              options={[
                { value: 'file', label: 'auth.json' },
                { value: 'token', label: 'Access token' },
              ]}
            />
            {kind === 'file' ? (
              <>
                <LoginFilesField
                  single
                  value={files}
                  error={wrong}
                  onChange={(next) => {
                    setFiles(next);
                    changed();
                  }}
                />
                <p className="text-xs text-ink-3">{OWNER_NOTE}</p>
              </>
            ) : (
              <TokenField
                value={token}
                error={wrong}
                onChange={(next) => {
                  setToken(next);
                  changed();
                }}
              />
            )}
          </div>
        </DialogBody>
        <DialogFooter>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" disabled={replace.isPending}>
            {replace.isPending ? 'Replacing…' : 'Replace'}
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}
