import type { Pool, Upstream } from '@/api';
import { Random } from './random';
import { iso } from './time';
import { createWorld, type World, withActions, withHealth } from './world';

/** Changes one account, and what the pools make of it. */
export function changeAccount(world: World, id: string, patch: Partial<Upstream>): Upstream | undefined {
  world.upstreams = world.upstreams.map((upstream) =>
    upstream.id === id ? withActions({ ...upstream, ...patch }) : upstream,
  );
  world.pools = world.pools.map((pool) => withHealth(pool, world.upstreams));
  return world.upstreams.find((upstream) => upstream.id === id);
}

/** A new account as it is right after its sign-in: no traffic, no quota data. */
export function addAccount(
  world: World,
  pool: Pool,
  label: string | null | undefined,
  now: number,
): Upstream {
  const number = world.upstreams.length + 1;
  const model = createWorld(now).upstreams.find((upstream) => upstream.label === 'harbor');
  if (!model) throw new Error('the world has lost its harbor');
  const account = withActions({
    ...model,
    id: new Random(number).uuid(),
    label: label ?? `account ${number}`,
    email: `n***${number}@example.com`,
    account_ref: `acc:${new Random(number).hex(8)}`,
    pools: [{ id: pool.id, name: pool.name }],
    usage: { ...model.usage, last_used_at: null },
    created_at: iso(now),
    updated_at: iso(now),
  });
  world.upstreams = [...world.upstreams, account];
  world.pools = world.pools.map((item) =>
    item.id === pool.id
      ? withHealth({ ...item, members: [...item.members, newMember(account)] }, world.upstreams)
      : item,
  );
  return account;
}

/** A new sign-in for an account that is there. */
export function signInAgain(world: World, id: string): Upstream | undefined {
  return changeAccount(world, id, {
    status: 'active',
    status_reason: null,
    readiness: { state: 'ready', label: 'Ready', until: null },
  });
}

export function newMember({ id, label, status }: Upstream): Pool['members'][number] {
  return {
    account: { id, name: label },
    state: status,
    enabled: true,
    priority: 0,
    weight: 1,
    max_concurrency: null,
    max_primary_percent: null,
    max_secondary_percent: null,
  };
}
