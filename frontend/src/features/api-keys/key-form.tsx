import { standardSchemaResolver } from '@hookform/resolvers/standard-schema';
import { useSuspenseQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Controller, useForm } from 'react-hook-form';
import * as v from 'valibot';
import { ApiError, type ApiKey, poolsQuery } from '@/api';
import { formatDate } from '@/lib/format';
import { usePreferences } from '@/lib/preferences';
import { Field, TextInput } from '@/ui/field';
import { Select } from '@/ui/select';
import { Notice } from '@/ui/states';
import { EXPIRY_OPTIONS, type Expiry, expiresAt, modelList } from './key-values';

export interface KeyValues {
  name: string;
  pool_id: string;
  /** Absent when it stays as it is; so are the models. */
  expires_at?: string | null;
  allowed_models?: string[] | null;
}

const form = v.object({
  name: v.pipe(
    v.string(),
    v.trim(),
    v.nonEmpty('Give the key a name'),
    v.maxLength(100, 'Keep it under 100 characters'),
  ),
  pool_id: v.pipe(v.string(), v.nonEmpty('Choose a pool')),
  expiry: v.string(),
  models: v.string(),
});

interface KeyFormProps {
  /** The key being edited; a new one without it. */
  apiKey?: ApiKey;
  poolId?: string | undefined;
  error: Error | null;
  onSubmit: (values: KeyValues) => void;
  children: (fields: ReactNode) => ReactNode;
}

export function KeyForm({ apiKey, poolId, error, onSubmit, children }: KeyFormProps) {
  const { data: pools } = useSuspenseQuery(poolsQuery);
  const { timeZone } = usePreferences();
  const usable = pools.items.filter((pool) => pool.status !== 'archived');
  const { register, handleSubmit, control, formState } = useForm({
    resolver: standardSchemaResolver(form),
    defaultValues: {
      name: apiKey?.name ?? '',
      pool_id: apiKey?.pool.id ?? poolId ?? usable[0]?.id ?? '',
      expiry: apiKey?.expires_at ? 'keep' : 'never',
      models: apiKey?.models.ids.join(', ') ?? '',
    },
  });
  const { errors, dirtyFields } = formState;
  const fieldError = (name: string) => (error instanceof ApiError ? error.fieldError(`/${name}`) : undefined);
  const submit = handleSubmit(({ name, pool_id, expiry, models }) =>
    onSubmit({
      name,
      pool_id,
      ...(expiry === 'keep' ? {} : { expires_at: expiresAt(expiry as Expiry, Date.now()) }),
      ...(dirtyFields.models ? { allowed_models: modelList(models) } : {}),
    }),
  );
  const keep = apiKey?.expires_at
    ? [{ value: 'keep', label: `${formatDate(apiKey.expires_at, 'full', timeZone)} (as it is)` }]
    : [];
  const fields = (
    <div className="space-y-4">
      {error && !fieldError('name') ? <Notice tone="bad">{error.message}</Notice> : null}
      <Field
        label="Name"
        hint="Where the key will be used, for example ci-runners."
        error={errors.name?.message ?? fieldError('name')}
      >
        <TextInput {...register('name')} autoComplete="off" />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        {apiKey ? null : (
          <Controller
            control={control}
            name="pool_id"
            render={({ field }) => (
              <Field label="Pool" hint="Whose accounts the key may use." error={errors.pool_id?.message}>
                <Select
                  value={field.value || null}
                  onChange={field.onChange}
                  placeholder="Choose a pool"
                  options={usable.map((pool) => ({ value: pool.id, label: pool.name }))}
                />
              </Field>
            )}
          />
        )}
        <Controller
          control={control}
          name="expiry"
          render={({ field }) => (
            <Field label="Expires">
              <Select value={field.value} onChange={field.onChange} options={[...keep, ...EXPIRY_OPTIONS]} />
            </Field>
          )}
        />
      </div>
      <Field label="Models" hint="Optional. Names with commas between them; all models when left empty.">
        <TextInput {...register('models')} autoComplete="off" spellCheck={false} placeholder="All models" />
      </Field>
    </div>
  );
  return (
    <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
      {children(fields)}
    </form>
  );
}
