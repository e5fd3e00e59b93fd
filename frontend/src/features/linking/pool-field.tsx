import { useSuspenseQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { poolsQuery } from '@/api';
import { Field, TextInput } from '@/ui/field';
import { Select } from '@/ui/select';

/** An existing pool, or the name of the first one. */
export type PoolTarget = { id: string } | { name: string };

const FIRST_POOL = 'Main';

/** Which pool an account goes into. On an instance without pools the first one is made with it. */
export function usePoolChoice(wanted?: string): { target: PoolTarget; field: ReactNode } {
  const { data: pools } = useSuspenseQuery(poolsQuery);
  const usable = pools.items.filter((pool) => pool.status !== 'archived');
  const [poolId, setPoolId] = useState(wanted);
  const [name, setName] = useState(FIRST_POOL);
  const chosen = usable.find(({ id }) => id === poolId) ?? usable[0];
  if (!chosen)
    return {
      target: { name: name.trim() || FIRST_POOL },
      field: (
        <Field label="Name of the first pool" hint="An account serves through a pool.">
          <TextInput value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
      ),
    };
  return {
    target: { id: chosen.id },
    field: (
      <Field label="Pool" hint="Its keys may use the account.">
        <Select
          value={chosen.id}
          onChange={setPoolId}
          options={usable.map((pool) => ({ value: pool.id, label: pool.name }))}
        />
      </Field>
    ),
  };
}
