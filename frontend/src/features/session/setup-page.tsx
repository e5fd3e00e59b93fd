import { standardSchemaResolver } from '@hookform/resolvers/standard-schema';
import { useForm } from 'react-hook-form';
import * as v from 'valibot';
import { ApiError, type BootstrapState, isApiError } from '@/api';
import { Button } from '@/ui/button';
import { Field, TextInput } from '@/ui/field';
import { Notice } from '@/ui/states';
import { AuthFrame } from './auth-frame';
import { useSetUp } from './queries';

const MAX_PASSWORD = 256;

function setUpForm({ token_required, min_password_length }: BootstrapState) {
  return v.object({
    token: token_required
      ? v.pipe(v.string(), v.trim(), v.nonEmpty('Paste the token from the server log'))
      : v.string(),
    email: v.pipe(v.string(), v.trim(), v.email('Enter a valid e-mail address')),
    display_name: v.pipe(
      v.string(),
      v.trim(),
      v.nonEmpty('Enter your name'),
      v.maxLength(80, 'Keep it under 80 characters'),
    ),
    password: v.pipe(
      v.string(),
      v.minLength(min_password_length, `Use at least ${min_password_length} characters`),
      v.maxLength(MAX_PASSWORD, `Use at most ${MAX_PASSWORD} characters`),
    ),
  });
}

type FieldName = 'token' | 'email' | 'display_name' | 'password';
const FIELDS: FieldName[] = ['token', 'email', 'display_name', 'password'];

interface SetupPageProps {
  status: BootstrapState;
  onReady: () => void;
}

/** Creates the first operator, the owner, of a fresh instance. */
export function SetupPage({ status, onReady }: SetupPageProps) {
  const { register, handleSubmit, setError, formState } = useForm({
    resolver: standardSchemaResolver(setUpForm(status)),
    defaultValues: { token: '', email: '', display_name: '', password: '' },
  });
  const setUp = useSetUp();
  const submit = handleSubmit(({ token, ...values }) =>
    setUp.mutate(
      { ...values, ...(status.token_required ? { token } : {}), timezone: browserTimeZone() },
      {
        onSuccess: onReady,
        onError: (error) => {
          if (isApiError(error, 'bootstrap_token_invalid'))
            setError('token', { message: 'This is not the token of this instance' }, { shouldFocus: true });
          if (error instanceof ApiError)
            for (const name of FIELDS) {
              const message = error.fieldError(`/${name}`);
              if (message) setError(name, { message });
            }
        },
      },
    ),
  );
  const { errors } = formState;
  const general = setUp.error && Object.keys(errors).length === 0 ? setUp.error : null;
  return (
    <AuthFrame title="Set up Codex Pooler" lead="Create the owner of this instance.">
      <form onSubmit={submit} noValidate className="space-y-4">
        {general ? <Notice tone="bad">{explain(general)}</Notice> : null}
        {status.token_required ? (
          <Field
            label="Set-up token"
            hint="Printed in the server log when the instance first started."
            error={errors.token?.message}
          >
            <TextInput
              {...register('token')}
              autoComplete="off"
              spellCheck={false}
              className="font-mono"
              autoFocus
            />
          </Field>
        ) : null}
        <Field label="E-mail" error={errors.email?.message}>
          <TextInput
            {...register('email')}
            type="email"
            autoComplete="username"
            autoFocus={!status.token_required}
          />
        </Field>
        <Field label="Name" error={errors.display_name?.message}>
          <TextInput {...register('display_name')} autoComplete="name" />
        </Field>
        <Field
          label="Password"
          hint={`At least ${status.min_password_length} characters.`}
          error={errors.password?.message}
        >
          <TextInput {...register('password')} type="password" autoComplete="new-password" />
        </Field>
        <Button look="primary" type="submit" className="w-full" disabled={setUp.isPending}>
          {setUp.isPending ? 'Creating the owner…' : 'Create owner'}
        </Button>
      </form>
    </AuthFrame>
  );
}

function explain(error: Error): string {
  if (isApiError(error, 'bootstrap_already_completed'))
    return 'This instance has an owner already. Reload the page to sign in.';
  return error.message;
}

function browserTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}
