import { Eye, EyeOff } from 'lucide-react';
import { useState } from 'react';
import type { ApiKeyWithSecret } from '@/api';
import { Button } from '@/ui/button';
import { CodeSnippet } from '@/ui/copy';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Notice } from '@/ui/states';
import { ClientSetup } from './client-setup';

interface SecretDialogProps {
  apiKey: ApiKeyWithSecret;
  /** What has just happened to the key. */
  event: 'created' | 'rotated';
  onClose: () => void;
}

/** The only place where a key's secret appears, and the only time. */
export function SecretDialog({ apiKey, event, onClose }: SecretDialogProps) {
  const [revealed, setRevealed] = useState(false);
  const line = (secret: string) => `export CODEX_POOLER_API_KEY="${secret}"`;
  return (
    <Dialog
      open
      onClose={onClose}
      dismissable={false}
      title={`Key “${apiKey.name}” ${event}`}
      description={`For the pool ${apiKey.pool.name}.`}
    >
      <DialogBody>
        <Notice tone="warn">
          Copy it now. Only its hash is stored, so it cannot be shown again.
          {event === 'rotated' ? ' The old secret no longer works.' : ''}
        </Notice>
        <div className="mt-3 space-y-2">
          <CodeSnippet
            title="The key"
            code={apiKey.secret}
            display={revealed ? apiKey.secret : masked(apiKey)}
            actions={
              <Button look="ghost" size="sm" aria-pressed={revealed} onClick={() => setRevealed(!revealed)}>
                {revealed ? <EyeOff /> : <Eye />} {revealed ? 'Hide' : 'Reveal'}
              </Button>
            }
          />
          <CodeSnippet
            title="Shell"
            code={line(apiKey.secret)}
            display={line(revealed ? apiKey.secret : masked(apiKey))}
          />
        </div>
        <h3 className="mt-5 mb-2 font-medium">Connect a client</h3>
        <ClientSetup poolId={apiKey.pool.id} />
      </DialogBody>
      <DialogFooter>
        <Button look="primary" onClick={onClose}>
          I have stored the key
        </Button>
      </DialogFooter>
    </Dialog>
  );
}

const MASK = '•'.repeat(12);

function masked({ prefix }: ApiKeyWithSecret): string {
  return `${prefix}-${MASK}`;
}
