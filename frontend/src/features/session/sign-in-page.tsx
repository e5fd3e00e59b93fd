import { standardSchemaResolver } from '@hookform/resolvers/standard-schema';
import { useForm } from 'react-hook-form';
import * as v from 'valibot';
import { isApiError } from '@/api';
import { formatSpan } from '@/lib/format';
import { Button } from '@/ui/button';
import { Field, TextInput } from '@/ui/field';
import { Notice } from '@/ui/states';
import { AuthFrame } from './auth-frame';
import { useSignIn } from './queries';

const form = v.object({
  email: v.pipe(v.string(), v.trim(), v.nonEmpty('Enter your e-mail address')),
  password: v.pipe(v.string(), v.nonEmpty('Enter your password')),
});

interface SignInPageProps {
  /** Set when the visitor was on the way to a page. */
  interrupted: boolean;
  onSignedIn: () => void;
}

export function SignInPage({ interrupted, onSignedIn }: SignInPageProps) {
  const { register, handleSubmit, resetField, setFocus, formState } = useForm({
    resolver: standardSchemaResolver(form),
    defaultValues: { email: '', password: '' },
  });
  const signIn = useSignIn();
  const submit = handleSubmit((values) =>
    signIn.mutate(values, {
      onSuccess: onSignedIn,
      onError: (error) => {
        if (!isApiError(error, 'not_authenticated')) return;
        resetField('password');
        setFocus('password');
      },
    }),
  );
  return (
    <AuthFrame
      title="Sign in"
      lead={
        interrupted ? 'Sign in to continue where you were.' : 'The console is for operators of this instance.'
      }
    >
      <form onSubmit={submit} noValidate className="space-y-4">
        {signIn.error ? <Notice tone="bad">{explain(signIn.error)}</Notice> : null}
        <Field label="E-mail" error={formState.errors.email?.message}>
          <TextInput {...register('email')} type="email" autoComplete="username" autoFocus />
        </Field>
        <Field label="Password" error={formState.errors.password?.message}>
          <TextInput {...register('password')} type="password" autoComplete="current-password" />
        </Field>
        <Button look="primary" type="submit" className="w-full" disabled={signIn.isPending}>
          {signIn.isPending ? 'Signing in…' : 'Sign in'}
        </Button>
      </form>
    </AuthFrame>
  );
}

function explain(error: Error): string {
  if (isApiError(error, 'not_authenticated')) return 'The e-mail or the password is wrong.';
  if (isApiError(error, 'login_throttled')) {
    const wait = error.retryAfterSeconds;
    const when = wait === undefined ? 'later' : wait < 60 ? `in ${wait} s` : `in ${formatSpan(wait * 1000)}`;
    return `Too many attempts. Try again ${when}.`;
  }
  return error.message;
}
