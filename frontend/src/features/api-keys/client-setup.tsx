import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ClientConfig } from '@/api';
import { CodeSnippet } from '@/ui/copy';
import { Dialog, DialogBody } from '@/ui/dialog';
import { Segmented } from '@/ui/segmented';
import { ErrorState, Skeleton } from '@/ui/states';
import { clientConfigsQuery } from './queries';

const TOOLS: Record<ClientConfig['tool'], string> = {
  codex: 'Codex CLI',
  curl: 'curl',
  'openai-python': 'Python',
  'openai-node': 'Node',
};

/** Ready-to-paste configurations. Keys come from the environment, so the files stay free of secrets. */
export function ClientSetup({ poolId }: { poolId: string | undefined }) {
  const { data, error, refetch } = useQuery(clientConfigsQuery(poolId));
  const [tool, setTool] = useState<ClientConfig['tool']>('codex');
  if (error) return <ErrorState error={error} retry={refetch} />;
  if (!data) return <Skeleton className="h-56" />;
  const offered = [...new Set(data.items.map((item) => item.tool))];
  const shown = data.items.filter((item) => item.tool === tool);
  return (
    <div>
      <div className="mb-2 overflow-x-auto">
        <Segmented
          label="Client"
          value={tool}
          onChange={setTool}
          options={offered.map((value) => ({ value, label: TOOLS[value] }))}
        />
      </div>
      <div className="space-y-3">
        {shown.map((config) => (
          <div key={config.title}>
            <CodeSnippet title={config.file ?? config.title} code={config.body} />
            {config.notes.length > 0 ? (
              <ul className="mt-2 space-y-1 text-xs text-ink-3">
                {config.notes.map((note) => (
                  <li key={note}>{note}</li>
                ))}
              </ul>
            ) : null}
          </div>
        ))}
      </div>
    </div>
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
