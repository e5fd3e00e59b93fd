import {
  FileUp,
  Hourglass,
  KeySquare,
  Layers,
  LogIn,
  MailPlus,
  Pause,
  Play,
  RefreshCw,
  Trash2,
} from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import type { Upstream } from '@/api';
import { useCan } from '@/features/session';
import {
  type AccountAction,
  actionOf,
  isResting,
  useDrain,
  useRenewLogin,
  useSetPaused,
} from '@/features/upstreams';
import { plural } from '@/lib/format';
import { Panel } from '@/ui/page';
import { ActionButton } from './action-button';
import { Probe } from './probe';

const ExportDialog = lazy(() => import('@/features/bundles').then((m) => ({ default: m.ExportDialog })));

interface AccountActionsProps {
  upstream: Upstream;
  onAction: (action: AccountAction) => void;
}

/** Everything that can be done with the account. What cannot be done now stays visible and says why. */
export function AccountActions({ upstream, onAction }: AccountActionsProps) {
  const setPaused = useSetPaused();
  const drain = useDrain();
  const renew = useRenewLogin();
  const mayExport = useCan('bundles:write');
  const [exporting, setExporting] = useState(false);
  const resting = isResting(upstream);
  const given = (action: string) => actionOf(upstream, action);
  const draining = upstream.drain;
  return (
    <Panel aria-label="Actions" className="py-1.5">
      <h2 className="px-4 pt-1.5 pb-1 font-semibold">Actions</h2>
      <Probe upstream={upstream} />
      {draining ? (
        <p
          role="status"
          className="mx-4 my-1.5 rounded-md bg-accent-wash px-2.5 py-1.5 text-xs text-accent-ink"
        >
          {draining.in_flight > 0
            ? `Draining: ${plural(draining.in_flight, 'turn')} left to finish, then it is paused.`
            : 'Draining: the last turns have ended; it is paused in a moment.'}
        </p>
      ) : null}
      <div className="grid grid-cols-2 lg:block">
        <ActionButton
          icon={<Hourglass />}
          {...given('drain')}
          pending={drain.isPending}
          onClick={() => drain.mutate(upstream)}
        >
          Drain
        </ActionButton>
        <ActionButton
          icon={resting ? <Play /> : <Pause />}
          {...given(resting ? 'reactivate' : 'pause')}
          pending={setPaused.isPending}
          onClick={() => setPaused.mutate({ upstream, paused: !resting })}
        >
          {resting ? 'Reactivate' : 'Pause'}
        </ActionButton>
        <ActionButton
          icon={<RefreshCw />}
          {...given('refresh')}
          pending={renew.isPending}
          onClick={() => renew.mutate(upstream)}
        >
          Renew sign-in
        </ActionButton>
        <ActionButton icon={<LogIn />} {...given('rename')} onClick={() => onAction('relink')}>
          Sign in again…
        </ActionButton>
        <ActionButton icon={<KeySquare />} {...given('rename')} onClick={() => onAction('replace')}>
          Replace credentials…
        </ActionButton>
        <ActionButton icon={<MailPlus />} {...given('rename')} onClick={() => onAction('reinvite')}>
          Invite its owner…
        </ActionButton>
        <ActionButton icon={<Layers />} {...given('assign')} onClick={() => onAction('assign')}>
          Pools…
        </ActionButton>
        {mayExport ? (
          <ActionButton icon={<FileUp />} enabled reason={null} onClick={() => setExporting(true)}>
            Export…
          </ActionButton>
        ) : null}
        <ActionButton icon={<Trash2 />} danger {...given('delete')} onClick={() => onAction('delete')}>
          Delete…
        </ActionButton>
      </div>
      <Suspense>
        {exporting ? <ExportDialog upstreams={[upstream]} onClose={() => setExporting(false)} /> : null}
      </Suspense>
    </Panel>
  );
}
