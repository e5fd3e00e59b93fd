import { Field, TextInput } from '@/ui/field';

interface TokenFieldProps {
  value: string;
  onChange: (value: string) => void;
  error: string | undefined;
}

export function TokenField({ value, onChange, error }: TokenFieldProps) {
  return (
    <Field
      label="Access token"
      hint="Begins with at-. Business and Enterprise workspaces issue them for automation."
      error={error}
    >
      <TextInput
        type="password"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        placeholder="at-…"
        autoComplete="off"
        spellCheck={false}
        className="font-mono"
      />
    </Field>
  );
}

/** Why a text is no access token; the commonest things pasted by mistake are named. */
export function tokenRefusal(text: string): string | undefined {
  const token = text.trim();
  if (token === '') return 'Paste the access token';
  if (/^at-\S+$/.test(token)) return undefined;
  if (token.startsWith('{')) return 'This is an auth.json. Go back and choose “auth.json”.';
  if (token.startsWith('sk-'))
    return 'This is an API key, which cannot be pooled. An access token begins with at-; a workspace issues it.';
  if (token.startsWith('eyJ')) return 'This is the token of one sign-in. Bring its whole auth.json instead.';
  return 'An access token begins with at- and has no spaces.';
}
