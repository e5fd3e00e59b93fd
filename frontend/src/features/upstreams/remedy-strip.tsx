import { Layers, LogIn, Play } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Upstream } from '@/api';
import { Button } from '@/ui/button';
import type { AccountAction } from './account-dialog';
import { useSetPaused } from './queries';
import { reasonOf } from './reasons';
import { actionOf, REMEDY_TEXT, type Remedy, upstreamStatus } from './status';

interface RemedyProps {
  upstream: Upstream;
  remedy: Remedy;
  onAction: (action: AccountAction) => void;
}

/** What keeps the account from serving, and the one thing that helps. */
export function RemedyStrip({ upstream, remedy, onAction }: RemedyProps) {
  const { tone } = upstreamStatus(upstream);
  const reason = reasonOf(upstream);
  return (
    <div
      className={`flex items-center gap-2 rounded-md py-1 pr-1 pl-2.5 text-xs ${tone === 'bad' ? 'bg-bad-wash text-bad-ink' : 'bg-sunken text-ink-2'}`}
    >
      <p className="line-clamp-2 min-w-0 flex-1" title={reason ?? undefined}>
        {reason ?? REMEDY_TEXT[remedy]}
      </p>
      <RemedyButton upstream={upstream} remedy={remedy} onAction={onAction} />
    </div>
  );
}

function RemedyButton({ upstream, remedy, onAction }: RemedyProps): ReactNode {
  const setPaused = useSetPaused();
  const allowed = (action: string) => actionOf(upstream, action).enabled;
  switch (remedy) {
    case 'relink':
      return allowed('rename') ? (
        <Button size="sm" onClick={() => onAction('relink')}>
          <LogIn /> Sign in again
        </Button>
      ) : null;
    case 'reactivate':
      return allowed('reactivate') ? (
        <Button
          size="sm"
          disabled={setPaused.isPending}
          onClick={() => setPaused.mutate({ upstream, paused: false })}
        >
          <Play /> Reactivate
        </Button>
      ) : null;
    case 'assign':
      return allowed('assign') ? (
        <Button size="sm" onClick={() => onAction('assign')}>
          <Layers /> Add to a pool
        </Button>
      ) : null;
  }
}
