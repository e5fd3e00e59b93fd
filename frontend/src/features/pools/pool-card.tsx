import { useNavigate } from '@tanstack/react-router';
import { clsx } from 'clsx';
import {
  Archive,
  ArchiveRestore,
  CirclePause,
  CirclePlay,
  EllipsisVertical,
  KeyRound,
  Route,
  ScrollText,
  SlidersHorizontal,
  Trash2,
} from 'lucide-react';
import type { Pool } from '@/api';
import { STRATEGIES } from '@/features/routing';
import { formatCompact, formatPercent, formatUsd, plural, UNKNOWN } from '@/lib/format';
import { Button, IconButton } from '@/ui/button';
import { Menu, MenuItem, MenuSeparator } from '@/ui/menu';
import { Fact, Panel } from '@/ui/page';
import { MiniBars } from '@/ui/sparkline';
import { Badge, StatusDot, Tag } from '@/ui/status';
import { useSetPoolStatus } from './queries';
import type { PoolTab } from './search';
import { poolStatus } from './status';

const WORRYING_PERCENT = 2;

interface PoolCardProps {
  pool: Pool;
  selected: boolean;
  mayWrite: boolean;
  onSelect: () => void;
  onOpen: (tab?: PoolTab) => void;
  /** Absent when the operator may not create keys. */
  onNewKey: (() => void) | undefined;
  onDelete: () => void;
}

/** A pool in figures. Its name chooses whose traffic the chart shows. */
export function PoolCard({ pool, selected, mayWrite, onSelect, onOpen, onNewKey, onDelete }: PoolCardProps) {
  const status = poolStatus(pool);
  const { usage, counts } = pool;
  const failing = usage.success_rate === null ? 0 : 100 - usage.success_rate;
  return (
    <Panel className={clsx('relative flex h-full flex-col', selected && 'border-accent! ring-1 ring-accent')}>
      <header className="flex items-center gap-2 pt-2 pr-2 pl-4">
        <h2 className="min-w-0 truncate text-base font-semibold">
          <button
            type="button"
            aria-pressed={selected}
            title={pool.name}
            onClick={onSelect}
            className="cursor-default after:absolute after:inset-0 after:rounded-lg focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-offset-2 focus-visible:after:outline-accent"
          >
            {pool.name}
          </button>
        </h2>
        <Tag>{STRATEGIES[pool.strategy].label}</Tag>
        <StatusDot tone={status.tone} className="ml-auto text-xs">
          {status.label}
        </StatusDot>
        <PoolMenu pool={pool} mayWrite={mayWrite} onOpen={onOpen} onNewKey={onNewKey} onDelete={onDelete} />
      </header>
      <div className="px-4 pt-2">
        <div className="mb-1 flex items-baseline justify-between text-xs">
          <span className="text-ink-3">Tokens, last 24 h</span>
          <span className="tnum font-medium">{formatCompact(usage.tokens)}</span>
        </div>
        {usage.tokens > 0 ? (
          <MiniBars values={usage.tokens_hourly} className="h-12 w-full" />
        ) : (
          <p className="grid h-12 place-items-center rounded-md border border-dashed border-line text-xs text-ink-3">
            No traffic
          </p>
        )}
      </div>
      <dl className="grid grid-cols-4 gap-3 px-4 py-3">
        <Fact label="Usable">
          {counts.usable_accounts}
          <span className="text-ink-3"> / {counts.accounts}</span>
        </Fact>
        <Fact label="Requests">{formatCompact(usage.requests)}</Fact>
        <Fact label="Cached input">{cachedShare(usage)}</Fact>
        <Fact label="Cost">{costLabel(usage)}</Fact>
      </dl>
      <footer className="mt-auto flex items-center gap-1 border-t border-line py-1 pr-1 pl-4 text-xs text-ink-3">
        <span className="tnum mr-auto">{plural(counts.active_api_keys, 'active key')}</span>
        {failing >= WORRYING_PERCENT ? <Badge tone="bad">{formatPercent(failing, 1)} failing</Badge> : null}
        <Button look="ghost" size="sm" className="relative" onClick={() => onOpen()}>
          <SlidersHorizontal /> {mayWrite ? 'Accounts and settings' : 'Details'}
        </Button>
      </footer>
    </Panel>
  );
}

/** A cost that lacks some turns is a lower bound, and says so. */
function costLabel({ cost_usd, unpriced }: Pool['usage']): string {
  const cost = Number(cost_usd);
  if (unpriced === 0) return formatUsd(cost);
  return cost === 0 ? UNKNOWN : `${formatUsd(cost)}+`;
}

function cachedShare({ tokens, cached_tokens }: Pool['usage']): string {
  return tokens === 0 ? UNKNOWN : formatPercent((cached_tokens / tokens) * 100);
}

type PoolMenuProps = Pick<PoolCardProps, 'pool' | 'mayWrite' | 'onOpen' | 'onNewKey' | 'onDelete'>;

function PoolMenu({ pool, mayWrite, onOpen, onNewKey, onDelete }: PoolMenuProps) {
  const navigate = useNavigate();
  const setStatus = useSetPoolStatus();
  const turn = (status: Pool['status']) => () => setStatus.mutate({ pool, status });
  return (
    <Menu
      trigger={
        <IconButton label={`Actions for ${pool.name}`} className="relative">
          <EllipsisVertical />
        </IconButton>
      }
    >
      <MenuItem icon={<SlidersHorizontal />} onClick={() => onOpen()}>
        Accounts and settings
      </MenuItem>
      <MenuItem icon={<Route />} onClick={() => onOpen('explain')}>
        Explain routing
      </MenuItem>
      {onNewKey ? (
        <MenuItem icon={<KeyRound />} onClick={onNewKey} disabled={pool.status === 'archived'}>
          New key…
        </MenuItem>
      ) : null}
      <MenuItem
        icon={<ScrollText />}
        onClick={() => navigate({ to: '/requests', search: { pool: [pool.id] } })}
      >
        Show requests
      </MenuItem>
      {mayWrite ? (
        <>
          <MenuSeparator />
          {pool.status === 'active' ? (
            <MenuItem icon={<CirclePause />} onClick={turn('disabled')}>
              Disable
            </MenuItem>
          ) : (
            <MenuItem
              icon={pool.status === 'archived' ? <ArchiveRestore /> : <CirclePlay />}
              onClick={turn('active')}
            >
              {pool.status === 'archived' ? 'Restore' : 'Enable'}
            </MenuItem>
          )}
          {pool.status === 'archived' ? null : (
            <MenuItem icon={<Archive />} onClick={turn('archived')}>
              Archive
            </MenuItem>
          )}
          <MenuItem
            icon={<Trash2 />}
            danger
            disabled={pool.status !== 'archived'}
            hint={pool.status === 'archived' ? null : 'Archive the pool first.'}
            onClick={onDelete}
          >
            Delete…
          </MenuItem>
        </>
      ) : null}
    </Menu>
  );
}
