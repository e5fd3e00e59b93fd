import { Link } from '@tanstack/react-router';
import { useRef } from 'react';
import type { ApiKey } from '@/api';
import { formatCompact, formatPercent, UNKNOWN } from '@/lib/format';
import { type Column, DataTable } from '@/ui/data-table';
import { Panel } from '@/ui/page';
import { RelativeTime } from '@/ui/relative-time';
import { Sparkline } from '@/ui/sparkline';
import { StatusDot } from '@/ui/status';
import { UsageBar } from '@/ui/usage-meter';
import { type KeyAction, KeyMenu } from './key-menu';
import { limitLabel } from './key-values';
import { KEY_STATUS, modelsText, nearestLimit } from './status';

interface KeysTableProps {
  keys: readonly ApiKey[];
  openId: string | undefined;
  onOpen: (key: ApiKey) => void;
  onAction: (key: ApiKey, action: KeyAction) => void;
}

export function KeysTable({ keys, openId, onOpen, onAction }: KeysTableProps) {
  const scrollRef = useRef<HTMLDivElement>(null);
  const menu: Column<ApiKey> = {
    id: 'menu',
    header: 'Actions',
    headerHidden: true,
    width: 72,
    align: 'right',
    cell: (key) => <KeyMenu apiKey={key} onAction={(action) => onAction(key, action)} />,
  };
  return (
    <Panel className="flex min-h-0 flex-col overflow-hidden">
      <DataTable
        label="API keys"
        columns={[...COLUMNS, menu]}
        narrow={{ columns: [...NARROW_COLUMNS, menu], rowHeight: 56 }}
        rows={keys}
        total={keys.length}
        loading={false}
        rowHeight={44}
        selectedId={openId}
        onSelect={onOpen}
        empty={null}
        scrollRef={scrollRef}
      />
    </Panel>
  );
}

const COLUMNS: Column<ApiKey>[] = [
  {
    id: 'name',
    header: 'Name',
    width: '1.2fr',
    cell: (key) => <KeyLink apiKey={key} />,
  },
  {
    id: 'prefix',
    header: 'Key',
    width: 176,
    from: 820,
    cell: (key) => <code className="font-mono text-xs text-ink-2">{key.prefix}…</code>,
  },
  { id: 'pool', header: 'Pool', width: '1fr', from: 640, cell: (key) => key.pool.name },
  { id: 'status', header: 'Status', width: 104, cell: (key) => <Status apiKey={key} /> },
  {
    id: 'limit',
    header: 'Nearest limit',
    width: 132,
    from: 900,
    cell: (key) => <LimitUse apiKey={key} />,
  },
  {
    id: 'models',
    header: 'Models',
    width: '1fr',
    from: 1280,
    cell: (key) => (
      <span className="text-ink-2" title={modelsText(key)}>
        {modelsText(key)}
      </span>
    ),
  },
  {
    id: 'requests',
    header: 'Requests',
    width: 84,
    align: 'right',
    from: 700,
    cell: (key) => formatCompact(key.usage.requests),
  },
  {
    id: 'tokens',
    header: 'Tokens, 24 h',
    width: 148,
    align: 'right',
    cell: (key) => (
      <span className="flex items-center justify-end gap-2.5">
        {key.usage.tokens > 0 ? <Sparkline values={key.usage.tokens_hourly} className="h-5 w-16" /> : null}
        <span className="w-12">{formatCompact(key.usage.tokens)}</span>
      </span>
    ),
  },
  {
    id: 'used',
    header: 'Last used',
    width: 100,
    align: 'right',
    from: 700,
    cell: (key) => (key.last_used_at ? <RelativeTime at={key.last_used_at} /> : <Never />),
  },
  {
    id: 'expires',
    header: 'Expires',
    width: 100,
    align: 'right',
    from: 960,
    cell: (key) => (key.expires_at ? <RelativeTime at={key.expires_at} /> : <Never />),
  },
];

const NARROW_COLUMNS: Column<ApiKey>[] = [
  {
    id: 'summary',
    header: 'Key',
    width: '1fr',
    cell: (key) => (
      <>
        <p className="truncate">
          <KeyLink apiKey={key} /> <span className="text-ink-3">{key.pool.name}</span>
        </p>
        <p className="truncate text-xs">
          <Status apiKey={key} />
        </p>
      </>
    ),
  },
  {
    id: 'usage',
    header: 'Tokens, used',
    width: 96,
    align: 'right',
    cell: (key) => (
      <>
        <p>{key.usage.tokens === 0 ? UNKNOWN : formatCompact(key.usage.tokens)}</p>
        <p className="text-xs text-ink-3">
          {key.last_used_at ? <RelativeTime at={key.last_used_at} /> : 'never'}
        </p>
      </>
    ),
  },
];

function KeyLink({ apiKey }: { apiKey: ApiKey }) {
  return (
    <Link
      from="/api-keys"
      search={(search) => ({ ...search, id: apiKey.id })}
      className="font-medium"
      title={apiKey.name}
    >
      {apiKey.name}
    </Link>
  );
}

/** How far the limit is used that will be reached first. */
function LimitUse({ apiKey }: { apiKey: ApiKey }) {
  const limit = nearestLimit(apiKey);
  if (!limit) return <span className="text-ink-3">no limit</span>;
  return (
    <span
      className="flex items-center gap-2"
      title={[limitLabel(limit.limit), limit.model].filter(Boolean).join(', ')}
    >
      <span className="flex-1">
        <UsageBar label={`${limitLabel(limit.limit)} of ${apiKey.name}`} percent={limit.percent} />
      </span>
      <span className="w-9 text-right">{formatPercent(limit.percent)}</span>
    </span>
  );
}

function Status({ apiKey }: { apiKey: ApiKey }) {
  const { tone, label } = KEY_STATUS[apiKey.status];
  return <StatusDot tone={tone}>{label}</StatusDot>;
}

function Never() {
  return <span className="text-ink-3">never</span>;
}
