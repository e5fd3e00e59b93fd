import { lazy, Suspense } from 'react';
import type { Pool } from '@/api';
import { ExplainPanel, STRATEGIES } from '@/features/routing';
import { Button } from '@/ui/button';
import { CopyButton } from '@/ui/copy';
import { Facts, Section } from '@/ui/detail';
import { Drawer } from '@/ui/drawer';
import { Skeleton } from '@/ui/states';
import { StatusDot } from '@/ui/status';
import { Tabs } from '@/ui/tabs';
import { aliasLines } from './aliases';
import { Members } from './members';
import { PoolForm } from './pool-form';
import { useUpdatePool } from './queries';
import { DEFAULT_TAB, type PoolTab } from './search';
import { poolStatus } from './status';
import { Switches } from './switches';

const AliasesForm = lazy(() => import('./aliases-form'));

interface PoolDrawerProps {
  pool: Pool | undefined;
  tab: PoolTab | undefined;
  mayWrite: boolean;
  onTab: (tab: PoolTab) => void;
  onClose: () => void;
}

/** A pool's accounts, settings and routing, beside the list. */
export function PoolDrawer({ pool, tab, mayWrite, onTab, onClose }: PoolDrawerProps) {
  return (
    <Drawer open={pool !== undefined} onClose={onClose} modal={false} title={pool?.name ?? 'Pool'}>
      {pool ? (
        <PoolDetail key={pool.id} pool={pool} tab={tab ?? DEFAULT_TAB} mayWrite={mayWrite} onTab={onTab} />
      ) : null}
    </Drawer>
  );
}

interface PoolDetailProps {
  pool: Pool;
  tab: PoolTab;
  mayWrite: boolean;
  onTab: (tab: PoolTab) => void;
}

function PoolDetail({ pool, tab, mayWrite, onTab }: PoolDetailProps) {
  return (
    <Tabs
      label="Views of the pool"
      value={tab}
      onChange={onTab}
      tabs={[
        {
          value: 'accounts',
          label: 'Accounts',
          content: (
            <div className="divide-y divide-line">
              <Section>
                <Verdict pool={pool} />
              </Section>
              <Section>
                <Members pool={pool} mayWrite={mayWrite} />
              </Section>
            </div>
          ),
        },
        {
          value: 'settings',
          label: 'Settings',
          content: (
            <div className="divide-y divide-line">
              <Section>
                {mayWrite ? <Settings key={formOf(pool)} pool={pool} /> : <ReadSettings pool={pool} />}
              </Section>
              <Section>
                <Switches pool={pool} mayWrite={mayWrite} />
              </Section>
              <Section>
                {mayWrite ? (
                  <Suspense fallback={<Skeleton className="h-24" />}>
                    <AliasesForm key={aliasLines(pool.model_aliases)} pool={pool} />
                  </Suspense>
                ) : (
                  <Facts rows={[['Other names for models', aliasLines(pool.model_aliases) || 'none']]} />
                )}
              </Section>
            </div>
          ),
        },
        {
          value: 'explain',
          label: 'Explain routing',
          content: (
            <Section>
              <ExplainPanel pool={pool} />
            </Section>
          ),
        },
      ]}
    />
  );
}

function Verdict({ pool }: { pool: Pool }) {
  const status = poolStatus(pool);
  return (
    <>
      <div className="flex items-center gap-2">
        <StatusDot tone={status.tone}>{status.label}</StatusDot>
        <code className="ml-auto truncate font-mono text-xs text-ink-3">{pool.slug}</code>
        <CopyButton text={pool.id} label="Copy pool id" />
      </div>
      {pool.health.reasons.length > 0 && pool.status === 'active' ? (
        <ul className="mt-1 text-ink-2">
          {pool.health.reasons.map((reason) => (
            <li key={reason.code}>{reason.text}</li>
          ))}
        </ul>
      ) : null}
    </>
  );
}

/** What the form holds: it starts anew only when somebody else has changed one of these. */
function formOf({ name, description, strategy, max_attempts }: Pool): string {
  return JSON.stringify([name, description, strategy, max_attempts]);
}

function Settings({ pool }: { pool: Pool }) {
  const update = useUpdatePool();
  return (
    <PoolForm pool={pool} error={update.error} onSubmit={(patch) => update.mutate({ pool, patch })}>
      {(fields, changed) => (
        <>
          {fields}
          <div className="mt-4 flex justify-end">
            <Button look="primary" type="submit" disabled={!changed || update.isPending}>
              Save settings
            </Button>
          </div>
        </>
      )}
    </PoolForm>
  );
}

function ReadSettings({ pool }: { pool: Pool }) {
  return (
    <Facts
      rows={[
        ['Strategy', STRATEGIES[pool.strategy].label],
        ['Accounts to try', pool.max_attempts],
        ['Description', pool.description ?? 'none'],
      ]}
    />
  );
}
