import { standardSchemaResolver } from '@hookform/resolvers/standard-schema';
import type { ReactNode } from 'react';
import { Controller, useForm } from 'react-hook-form';
import * as v from 'valibot';
import { ApiError, isApiError, type Pool } from '@/api';
import { STRATEGIES } from '@/features/routing';
import { Field, TextArea, TextInput } from '@/ui/field';
import { Select } from '@/ui/select';
import { Notice } from '@/ui/states';

const ATTEMPTS = ['1', '2', '3', '4', '5', '6', '8', '10'];

const STRATEGY_NAMES = Object.keys(STRATEGIES) as Pool['strategy'][];

const form = v.object({
  name: v.pipe(
    v.string(),
    v.trim(),
    v.nonEmpty('Give the pool a name'),
    v.maxLength(100, 'Keep it under 100 characters'),
  ),
  description: v.pipe(v.string(), v.trim(), v.maxLength(1000, 'Keep it under 1000 characters')),
  strategy: v.picklist(STRATEGY_NAMES),
  max_attempts: v.pipe(v.string(), v.transform(Number)),
});

export interface PoolValues {
  name: string;
  description: string | null;
  strategy: Pool['strategy'];
  max_attempts: number;
}

interface PoolFormProps {
  pool?: Pool;
  error: Error | null;
  onSubmit: (values: PoolValues) => void;
  /** The fields, to be placed in a dialog or a drawer together with the buttons. */
  children: (fields: ReactNode, changed: boolean) => ReactNode;
}

export function PoolForm({ pool, error, onSubmit, children }: PoolFormProps) {
  const { register, handleSubmit, control, formState } = useForm({
    resolver: standardSchemaResolver(form),
    defaultValues: {
      name: pool?.name ?? '',
      description: pool?.description ?? '',
      strategy: pool?.strategy ?? 'capacity_weighted',
      max_attempts: String(pool?.max_attempts ?? 4),
    },
  });
  const { errors, isDirty } = formState;
  const attempts = ATTEMPTS.includes(String(pool?.max_attempts ?? 4))
    ? ATTEMPTS
    : [...ATTEMPTS, String(pool?.max_attempts)];
  const fieldError = (name: string) => (error instanceof ApiError ? error.fieldError(`/${name}`) : undefined);
  const fields = (
    <div className="space-y-4">
      {error && !fieldError('name') ? <Notice tone="bad">{explain(error)}</Notice> : null}
      <Field label="Name" error={errors.name?.message ?? fieldError('name')}>
        <TextInput {...register('name')} autoComplete="off" />
      </Field>
      <Controller
        control={control}
        name="strategy"
        render={({ field }) => (
          <Field label="Strategy" hint={STRATEGIES[field.value].detail}>
            <Select
              value={field.value}
              onChange={field.onChange}
              options={STRATEGY_NAMES.map((value) => ({ value, label: STRATEGIES[value].label }))}
            />
          </Field>
        )}
      />
      <Controller
        control={control}
        name="max_attempts"
        render={({ field }) => (
          <Field label="Accounts to try per request" hint="How often a request may move on before it fails.">
            <Select
              value={field.value}
              onChange={field.onChange}
              options={attempts.map((value) => ({ value, label: value }))}
            />
          </Field>
        )}
      />
      <Field label="Description" hint="Optional. Seen by operators only." error={errors.description?.message}>
        <TextArea {...register('description')} rows={2} className="resize-y" />
      </Field>
    </div>
  );
  return (
    <form
      noValidate
      className="flex min-h-0 flex-col"
      onSubmit={handleSubmit((values) => onSubmit({ ...values, description: values.description || null }))}
    >
      {children(fields, isDirty)}
    </form>
  );
}

function explain(error: Error): string {
  if (isApiError(error, 'version_conflict'))
    return 'Somebody else changed this pool meanwhile. Close it, look at what changed, and save again.';
  return error.message;
}
