import type { ReactNode } from 'react';
import type { Pool } from '@/api';
import { Button } from '@/ui/button';
import { CopyButton } from '@/ui/copy';
import { Drawer } from '@/ui/drawer';
import { StatusDot } from '@/ui/status';
import { Members } from './members';
import { PoolForm } from './pool-form';
import { useUpdatePool } from './queries';
import { poolStatus, STRATEGIES } from './status';

interface PoolDrawerProps {
  pool: Pool | undefined;
  mayWrite: boolean;
  onClose: () => void;
}

/** A pool's accounts and settings, beside the list. */
export function PoolDrawer({ pool, mayWrite, onClose }: PoolDrawerProps) {
  return (
    <Drawer open={pool !== undefined} onClose={onClose} modal={false} title={pool?.name ?? 'Pool'}>
      {pool ? <PoolDetail key={pool.id} pool={pool} mayWrite={mayWrite} /> : null}
    </Drawer>
  );
}

function PoolDetail({ pool, mayWrite }: { pool: Pool; mayWrite: boolean }) {
  const status = poolStatus(pool);
  return (
    <div className="divide-y divide-line">
      <section className="px-4 py-3.5">
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
      </section>
      <Section title="Accounts">
        <Members pool={pool} mayWrite={mayWrite} />
      </Section>
      <Section title="Settings">
        {mayWrite ? <Settings key={pool.version} pool={pool} /> : <ReadSettings pool={pool} />}
      </Section>
    </div>
  );
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
    <dl className="grid grid-cols-[7rem_1fr] gap-x-3 gap-y-1">
      <dt className="text-ink-3">Strategy</dt>
      <dd>{STRATEGIES[pool.strategy].label}</dd>
      <dt className="text-ink-3">Accounts to try</dt>
      <dd className="tnum">{pool.max_attempts}</dd>
      <dt className="text-ink-3">Description</dt>
      <dd>{pool.description ?? 'none'}</dd>
    </dl>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="px-4 py-3.5">
      <h3 className="mb-2 text-xs font-medium text-ink-3">{title}</h3>
      {children}
    </section>
  );
}
