import { type FormEvent, useState } from 'react';
import { ApiError, isApiError, type Upstream, type UpstreamPatch } from '@/api';
import { Button } from '@/ui/button';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextArea, TextInput } from '@/ui/field';
import { Segmented } from '@/ui/segmented';
import { Notice } from '@/ui/states';
import { toast } from '@/ui/toast';
import { useEditUpstream } from './queries';
import { TagsField } from './tags-field';

interface EditDialogProps {
  upstream: Upstream;
  onClose: () => void;
}

type ProxyChange = 'keep' | 'change' | 'none';

const MOST_TAGS = 20;
const FIELDS = ['label', 'tags', 'notes', 'egress_proxy'];

/** What operators say about an account: its label, tags, notes, and the way its connections take. */
export function EditDialog({ upstream, onClose }: EditDialogProps) {
  const [label, setLabel] = useState(upstream.label);
  const [tags, setTags] = useState(upstream.tags);
  const [notes, setNotes] = useState(upstream.notes ?? '');
  const [change, setChange] = useState<ProxyChange>(upstream.egress_proxy === null ? 'change' : 'keep');
  const [proxy, setProxy] = useState('');
  const edit = useEditUpstream();
  const errorOf = (name: string) =>
    edit.error instanceof ApiError ? edit.error.fieldError(`/${name}`) : undefined;
  const labelError = label.trim() === '' ? 'Give the account a label' : errorOf('label');

  function submit(event: FormEvent) {
    event.preventDefault();
    if (label.trim() === '') return;
    const patch: UpstreamPatch = {
      label: label.trim(),
      tags,
      notes: notes.trim() || null,
      ...(change === 'none' ? { egress_proxy: null } : {}),
      ...(change === 'change' && proxy.trim() !== '' ? { egress_proxy: proxy.trim() } : {}),
    };
    edit.mutate(
      { upstream, patch },
      {
        onSuccess: () => {
          toast.done(
            'egress_proxy' in patch ? 'Saved. New connections take the new way; test it.' : 'Account saved',
          );
          onClose();
        },
      },
    );
  }

  return (
    <Dialog open onClose={onClose} title={`Details of ${upstream.label}`}>
      <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
        <DialogBody>
          <div className="space-y-4">
            {edit.error && !FIELDS.some(errorOf) ? <Notice tone="bad">{explain(edit.error)}</Notice> : null}
            <Field label="Label" hint="Shown in lists and in the request log from now on." error={labelError}>
              <TextInput
                value={label}
                onChange={(event) => setLabel(event.target.value)}
                maxLength={100}
                autoComplete="off"
              />
            </Field>
            <TagsField value={tags} onChange={setTags} error={errorOf('tags')} most={MOST_TAGS} />
            <Field label="Notes" hint="Seen by operators only." error={errorOf('notes')}>
              <TextArea
                value={notes}
                onChange={(event) => setNotes(event.target.value)}
                rows={3}
                maxLength={4000}
                className="resize-y"
              />
            </Field>
            <div className="space-y-3 border-t border-line pt-4">
              {upstream.egress_proxy === null ? null : (
                <div className="flex flex-wrap items-center justify-between gap-2">
                  <p className="min-w-0">
                    <span className="block text-xs font-medium text-ink-2">Egress proxy</span>
                    <code className="block truncate font-mono text-xs text-ink-2">
                      {upstream.egress_proxy}
                    </code>
                  </p>
                  <Segmented
                    label="Egress proxy"
                    value={change}
                    onChange={setChange}
                    options={[
                      { value: 'keep', label: 'Keep' },
                      { value: 'change', label: 'Change' },
                      { value: 'none', label: 'Remove' },
                    ]}
                  />
                </div>
              )}
              {change === 'change' ? (
                <Field
                  label={upstream.egress_proxy === null ? 'Egress proxy' : 'New address'}
                  hint="http://, https://, socks5:// or socks5h://, with user and password if it asks for them. Nothing goes around it."
                  error={errorOf('egress_proxy')}
                >
                  <TextInput
                    value={proxy}
                    onChange={(event) => setProxy(event.target.value)}
                    placeholder={
                      upstream.egress_proxy === null
                        ? 'None, direct'
                        : 'socks5://user:password@proxy.example:1080'
                    }
                    autoComplete="off"
                    spellCheck={false}
                    className="font-mono text-xs!"
                  />
                </Field>
              ) : null}
              {change === 'none' ? (
                <Notice tone="warn">
                  Connections of this account then leave from the gateway’s own address.
                </Notice>
              ) : null}
            </div>
          </div>
        </DialogBody>
        <DialogFooter>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" disabled={edit.isPending}>
            Save
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}

function explain(error: Error): string {
  if (isApiError(error, 'version_conflict'))
    return 'The account has changed meanwhile. Close this, look at what changed, and save again.';
  return error.message;
}
