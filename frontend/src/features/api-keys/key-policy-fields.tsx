import { useQuery } from '@tanstack/react-query';
import { Controller, useFormContext } from 'react-hook-form';
import { modelsQuery } from '@/features/routing';
import { Field, TextInput } from '@/ui/field';
import { Select } from '@/ui/select';
import { SuggestInput } from '@/ui/suggest-input';
import { type KeyFormValues, problemAt } from './form-values';
import { EFFORTS, listOf, TIERS, UNCHANGED } from './key-values';

const MODES = [
  { value: 'all', label: 'All models' },
  { value: 'selected', label: 'Only these' },
  { value: 'none', label: 'None' },
] as const;

const REASONING = [
  { value: 'unrestricted', label: 'As asked for' },
  { value: 'max', label: 'At most' },
  { value: 'exact', label: 'Always' },
] as const;

interface PolicyFieldsProps {
  poolId: string;
  error: Error | null;
}

/** Which models a key may use, and what takes the place of what its clients ask for. */
export function PolicyFields({ poolId, error }: PolicyFieldsProps) {
  const { data: models } = useQuery(modelsQuery(poolId));
  const { control, register, watch, formState } = useFormContext<KeyFormValues>();
  const [mode, reasoning] = watch(['modelsMode', 'reasoningMode']);
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <Controller
        control={control}
        name="modelsMode"
        render={({ field }) => (
          <Field label="Models">
            <Select value={field.value} onChange={field.onChange} options={MODES} />
          </Field>
        )}
      />
      {mode === 'selected' ? (
        <Field
          label="Which"
          hint="With commas between them."
          error={formState.errors.models?.message ?? problemAt(error, '/models')}
        >
          <TextInput
            {...register('models', {
              validate: (text, all) =>
                all.modelsMode !== 'selected' || listOf(text).length > 0 || 'Choose at least one model',
            })}
            autoComplete="off"
            spellCheck={false}
            placeholder={models?.slice(0, 2).join(', ') ?? ''}
          />
        </Field>
      ) : (
        <span className="max-sm:hidden" />
      )}
      <Controller
        control={control}
        name="enforcedModel"
        render={({ field }) => (
          <Field
            label="Enforced model"
            hint="Takes the place of whatever was asked for."
            error={problemAt(error, '/enforcement/model')}
          >
            <SuggestInput
              value={field.value}
              onChange={field.onChange}
              suggestions={models ?? []}
              placeholder="As asked for"
            />
          </Field>
        )}
      />
      <Controller
        control={control}
        name="tier"
        render={({ field }) => (
          <Field label="Service tier" error={problemAt(error, '/enforcement/service_tier')}>
            <Select
              value={field.value}
              onChange={field.onChange}
              options={[
                { value: UNCHANGED, label: 'As asked for' },
                ...TIERS.map((value) => ({ value, label: value })),
              ]}
            />
          </Field>
        )}
      />
      <Controller
        control={control}
        name="reasoningMode"
        render={({ field }) => (
          <Field
            label="Reasoning effort"
            hint={reasoning === 'max' ? 'Higher efforts are refused.' : ''}
            error={problemAt(error, '/enforcement/reasoning')}
          >
            <Select value={field.value} onChange={field.onChange} options={REASONING} />
          </Field>
        )}
      />
      {reasoning === 'unrestricted' ? null : (
        <Controller
          control={control}
          name="effort"
          render={({ field }) => (
            <Field label="Effort">
              <Select
                value={field.value}
                onChange={field.onChange}
                options={EFFORTS.map((value) => ({ value, label: value }))}
              />
            </Field>
          )}
        />
      )}
    </div>
  );
}
