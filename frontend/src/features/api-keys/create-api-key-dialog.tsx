import { standardSchemaResolver } from '@hookform/resolvers/standard-schema';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import { useForm } from 'react-hook-form';
import * as v from 'valibot';
import { ApiError, api, type CreatedApiKey, type Pool, unwrap } from '@/api';
import { Button } from '@/ui/button';
import { CodeSnippet } from '@/ui/copy';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextInput } from '@/ui/field';
import { Segmented } from '@/ui/segmented';
import { toast } from '@/ui/toast';
import { clientSnippets } from './snippets';

const form = v.object({
  label: v.pipe(
    v.string(),
    v.trim(),
    v.minLength(1, 'Give the key a name'),
    v.maxLength(64, 'Keep it under 64 characters'),
  ),
});

interface CreateApiKeyDialogProps {
  pool: Pool;
  onClose: () => void;
}

export function CreateApiKeyDialog({ pool, onClose }: CreateApiKeyDialogProps) {
  const [created, setCreated] = useState<CreatedApiKey>();
  return created ? (
    <KeyCreated apiKey={created} onClose={onClose} />
  ) : (
    <KeyForm pool={pool} onClose={onClose} onCreated={setCreated} />
  );
}

function KeyForm({
  pool,
  onClose,
  onCreated,
}: CreateApiKeyDialogProps & { onCreated: (key: CreatedApiKey) => void }) {
  const client = useQueryClient();
  const { register, handleSubmit, setError, formState } = useForm({
    resolver: standardSchemaResolver(form),
    defaultValues: { label: '' },
  });
  const create = useMutation({
    mutationFn: (values: v.InferOutput<typeof form>) =>
      unwrap(api.POST('/api-keys', { body: { ...values, pool_id: pool.id } })),
    onSuccess: (key) => {
      client.invalidateQueries({ queryKey: ['pools'] });
      onCreated(key);
    },
    meta: { handlesErrors: true },
    onError: (error) => {
      const message = error instanceof ApiError && error.problem.fields?.label?.[0];
      if (message) setError('label', { message });
      else toast.failed(error);
    },
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title="New API key"
      description={`Clients with this key use the accounts of ${pool.name}.`}
    >
      <form onSubmit={handleSubmit((values) => create.mutate(values))} noValidate>
        <DialogBody>
          <Field
            label="Name"
            hint="Where the key will be used, for example ci-runners."
            error={formState.errors.label?.message}
          >
            <TextInput {...register('label')} autoComplete="off" />
          </Field>
        </DialogBody>
        <DialogFooter>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" disabled={create.isPending}>
            Create key
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}

function KeyCreated({ apiKey, onClose }: { apiKey: CreatedApiKey; onClose: () => void }) {
  const snippets = clientSnippets(window.location.origin);
  const [tab, setTab] = useState(snippets[0]?.id ?? '');
  const snippet = snippets.find(({ id }) => id === tab);
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Key “${apiKey.label}” created`}
      description={`For pool ${apiKey.pool.name}`}
    >
      <DialogBody>
        <p className="mb-3 flex items-center gap-2 rounded-md bg-warn-wash px-3 py-2 text-warn-ink">
          <TriangleAlert className="size-4 shrink-0" /> Copy it now. It is stored as a hash and cannot be
          shown again.
        </p>
        <CodeSnippet
          title="CODEX_POOLER_API_KEY"
          code={apiKey.secret}
          display={`${apiKey.prefix}${'•'.repeat(28)}`}
        />
        <div className="mt-5 mb-2 flex flex-wrap items-center justify-between gap-2">
          <h3 className="font-medium">Connect a client</h3>
          <Segmented
            label="Client"
            value={tab}
            onChange={setTab}
            options={snippets.map(({ id, client }) => ({ value: id, label: client }))}
          />
        </div>
        {snippet ? <CodeSnippet title={snippet.file} code={snippet.code} /> : null}
      </DialogBody>
      <DialogFooter>
        <Button look="primary" onClick={onClose}>
          I have stored the key
        </Button>
      </DialogFooter>
    </Dialog>
  );
}
