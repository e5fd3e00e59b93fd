import { useSuspenseQuery } from '@tanstack/react-query';
import { clsx } from 'clsx';
import { KeyRound, Plus, Terminal } from 'lucide-react';
import { lazy, Suspense, useRef, useState } from 'react';
import { type ApiKey, apiKeysQuery, poolsQuery } from '@/api';
import { useCan } from '@/features/session';
import { plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { FacetFilter } from '@/ui/facet-filter';
import { PageHeader, Panel } from '@/ui/page';
import { SearchField } from '@/ui/search-field';
import { EmptyState, Skeleton } from '@/ui/states';
import type { KeyAction } from './key-menu';
import { type ApiKeysSearch, isFiltered, matches } from './search';
import { byUrgency, KEY_STATUS } from './status';

const KeysTable = lazy(() => import('./keys-table').then((m) => ({ default: m.KeysTable })));
const CreateApiKeyDialog = lazy(() =>
  import('./create-api-key-dialog').then((m) => ({ default: m.CreateApiKeyDialog })),
);
const ConnectDialog = lazy(() => import('./client-setup').then((m) => ({ default: m.ConnectDialog })));
const EditKeyDialog = lazy(() => import('./key-dialogs').then((m) => ({ default: m.EditKeyDialog })));
const RotateKeyDialog = lazy(() => import('./key-dialogs').then((m) => ({ default: m.RotateKeyDialog })));
const MoveKeyDialog = lazy(() => import('./key-dialogs').then((m) => ({ default: m.MoveKeyDialog })));
const RevokeKeyDialog = lazy(() => import('./key-dialogs').then((m) => ({ default: m.RevokeKeyDialog })));
const DeleteKeyDialog = lazy(() => import('./key-dialogs').then((m) => ({ default: m.DeleteKeyDialog })));

const KeyDrawer = lazy(() => import('./key-drawer').then((m) => ({ default: m.KeyDrawer })));

const DIALOGS = {
  edit: EditKeyDialog,
  move: MoveKeyDialog,
  rotate: RotateKeyDialog,
  revoke: RevokeKeyDialog,
  delete: DeleteKeyDialog,
} satisfies Record<KeyAction, unknown>;

interface ApiKeysPageProps {
  search: ApiKeysSearch;
  onSearch: (patch: ApiKeysSearch) => void;
}

export function ApiKeysPage({ search, onSearch }: ApiKeysPageProps) {
  const { data } = useSuspenseQuery(apiKeysQuery);
  const { data: pools } = useSuspenseQuery(poolsQuery);
  const mayWrite = useCan('keys:write');
  const [chosen, setChosen] = useState<{ apiKey: ApiKey; action: KeyAction }>();
  const ChosenDialog = chosen && DIALOGS[chosen.action];
  const open = data.items.find((key) => key.id === search.id);
  const create = () => onSearch({ dialog: 'new' });
  const closeDialog = () => onSearch({ dialog: undefined });
  return (
    <div className={clsx('flex h-full min-h-[24rem] flex-col', open && 'xl:pr-[30rem]')}>
      <PageHeader
        title="API keys"
        actions={
          <>
            <Button onClick={() => onSearch({ dialog: 'connect' })}>
              <Terminal /> Connect a client
            </Button>
            {mayWrite && pools.items.length > 0 ? (
              <Button look="primary" onClick={create}>
                <Plus /> New key
              </Button>
            ) : null}
          </>
        }
      />
      {data.items.length === 0 ? (
        <NoKeys hasPool={pools.items.length > 0} onCreate={mayWrite ? create : undefined} />
      ) : (
        <Keys
          keys={data.items}
          search={search}
          onSearch={onSearch}
          onAction={(apiKey, action) => setChosen({ apiKey, action })}
        />
      )}
      <Suspense>
        {search.id === undefined ? null : (
          <KeyDrawer
            apiKey={open}
            onAction={(action) => open && setChosen({ apiKey: open, action })}
            onClose={() => onSearch({ id: undefined })}
          />
        )}
        {search.dialog === 'new' && mayWrite ? (
          <CreateApiKeyDialog poolId={search.pool?.[0]} onClose={closeDialog} />
        ) : null}
        {search.dialog === 'connect' ? <ConnectDialog onClose={closeDialog} /> : null}
        {ChosenDialog ? <ChosenDialog apiKey={chosen.apiKey} onClose={() => setChosen(undefined)} /> : null}
      </Suspense>
    </div>
  );
}

interface KeysProps extends ApiKeysPageProps {
  keys: readonly ApiKey[];
  onAction: (key: ApiKey, action: KeyAction) => void;
}

function Keys({ keys, search, onSearch, onAction }: KeysProps) {
  const searchRef = useRef<HTMLInputElement>(null);
  const shown = keys.filter((key) => matches(key, search)).toSorted(byUrgency);
  const filtered = isFiltered(search);
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <SearchField
          ref={searchRef}
          label="Find a key"
          value={search.q ?? ''}
          onChange={(q) => onSearch({ q: q || undefined })}
          className="w-full sm:w-60"
        />
        <FacetFilter
          label="Pool"
          options={[...new Map(keys.map((key) => [key.pool.id, key.pool.name]))].map(([value, label]) => ({
            value,
            label,
            count: keys.filter((key) => key.pool.id === value).length,
          }))}
          value={search.pool ?? []}
          onChange={(pool) => onSearch({ pool })}
        />
        <FacetFilter
          label="Status"
          options={[...new Set(keys.map((key) => key.status))].map((value) => ({
            value,
            label: KEY_STATUS[value].label,
            count: keys.filter((key) => key.status === value).length,
          }))}
          value={search.status ?? []}
          onChange={(status) => onSearch({ status })}
        />
        {filtered ? (
          <Button
            look="ghost"
            size="sm"
            onClick={() => onSearch({ q: undefined, pool: undefined, status: undefined })}
          >
            Clear
          </Button>
        ) : null}
        <span role="status" className="tnum ml-auto text-xs text-ink-3 max-sm:hidden">
          {filtered ? `${shown.length} of ${keys.length}` : plural(keys.length, 'key')}
        </span>
      </div>
      {shown.length === 0 ? (
        <Panel>
          <EmptyState icon={<KeyRound />} title="No key matches">
            Loosen the filters above.
          </EmptyState>
        </Panel>
      ) : (
        <Suspense fallback={<Skeleton className="h-96 rounded-lg" />}>
          <KeysTable
            keys={shown}
            openId={search.id}
            onOpen={(key) => onSearch({ id: key.id })}
            onAction={onAction}
          />
        </Suspense>
      )}
    </>
  );
}

function NoKeys({ hasPool, onCreate }: { hasPool: boolean; onCreate: (() => void) | undefined }) {
  return (
    <Panel>
      <EmptyState
        icon={<KeyRound />}
        title="No keys yet"
        action={
          hasPool && onCreate ? (
            <Button onClick={onCreate}>
              <Plus /> New key
            </Button>
          ) : null
        }
      >
        {hasPool
          ? 'A key lets a client use the accounts of one pool. Its secret is shown once.'
          : 'A key belongs to a pool. Create a pool first.'}
      </EmptyState>
    </Panel>
  );
}
