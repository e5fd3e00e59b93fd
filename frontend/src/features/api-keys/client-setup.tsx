import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ClientConfig } from '@/api';
import { CodeSnippet } from '@/ui/copy';
import { Dialog, DialogBody } from '@/ui/dialog';
import { Disclosure } from '@/ui/disclosure';
import { Segmented } from '@/ui/segmented';
import { Select } from '@/ui/select';
import { ErrorState, Skeleton } from '@/ui/states';
import { clientConfigsQuery } from './queries';

type Variant = ClientConfig['variants'][number];
type Snippet = Variant['snippets'][number];

/** Ready-to-paste configurations. Keys come from the environment, so the files stay free of secrets. */
export function ClientSetup({ poolId }: { poolId: string | undefined }) {
  const { data, error, refetch } = useQuery(clientConfigsQuery(poolId));
  const [tool, setTool] = useState<ClientConfig['tool']>('codex_cli');
  if (error) return <ErrorState error={error} retry={refetch} />;
  if (!data) return <Skeleton className="h-56" />;
  const config = data.items.find((item) => item.tool === tool) ?? data.items[0];
  if (!config) return null;
  return (
    <div>
      <Select
        label="Client"
        value={config.tool}
        onChange={setTool}
        options={data.items.map((item) => ({ value: item.tool, label: item.title }))}
        className="mb-3 w-full sm:w-72"
      />
      <Configuration key={config.tool} config={config} />
    </div>
  );
}

function Configuration({ config }: { config: ClientConfig }) {
  const [chosen, choose] = useState(usual(config)?.id ?? '');
  const variant = config.variants.find(({ id }) => id === chosen);
  return (
    <div className="space-y-3">
      {config.variants.length > 1 ? (
        <Segmented
          label="Variant"
          value={chosen}
          onChange={choose}
          options={config.variants.map(({ id, title }) => ({ value: id, label: title }))}
        />
      ) : null}
      <Notes notes={config.notes} />
      {variant?.snippets.map((snippet) => (
        <Pasted key={snippet.title} snippet={snippet} />
      ))}
      <Pasted snippet={config.verify} />
      <Disclosure title="If it does not work" open={false}>
        <dl className="space-y-2 text-xs">
          {config.troubleshooting.map(({ symptom, remedy }) => (
            <div key={symptom}>
              <dt className="font-medium">{symptom}</dt>
              <dd className="text-ink-3">{remedy}</dd>
            </div>
          ))}
        </dl>
      </Disclosure>
    </div>
  );
}

function usual(config: ClientConfig): Variant | undefined {
  return config.variants.find((variant) => variant.default) ?? config.variants[0];
}

function Pasted({ snippet }: { snippet: Snippet }) {
  return (
    <div>
      <CodeSnippet title={snippet.file ?? snippet.title} code={snippet.text} />
      <Notes notes={snippet.notes} />
    </div>
  );
}

function Notes({ notes }: { notes: readonly string[] }) {
  if (notes.length === 0) return null;
  return (
    <ul className="mt-2 space-y-1 text-xs text-ink-3">
      {notes.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}

export function ConnectDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog
      open
      onClose={onClose}
      title="Connect a client"
      description="Each reads its key from CODEX_POOLER_API_KEY."
    >
      <DialogBody>
        <ClientSetup poolId={undefined} />
      </DialogBody>
    </Dialog>
  );
}
