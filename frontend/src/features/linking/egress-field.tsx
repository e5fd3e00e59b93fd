import { Disclosure } from '@/ui/disclosure';
import { Field, TextInput } from '@/ui/field';

interface EgressFieldProps {
  value: string;
  onChange: (value: string) => void;
  error: string | undefined;
}

/** The way out for everything that is done with the account, from its first sign-in on. */
export function EgressField({ value, onChange, error }: EgressFieldProps) {
  return (
    <div className="-mb-5">
      <Disclosure
        title="Egress proxy"
        summary={value === '' ? 'none, direct' : undefined}
        open={error !== undefined}
      >
        <Field
          label="Address of the proxy"
          hint="http:// or socks5://, with user and password if it asks for them. Nothing goes around it: without the proxy the account does not serve."
          error={error}
        >
          <TextInput
            value={value}
            onChange={(event) => onChange(event.target.value)}
            placeholder="socks5://user:password@proxy.example:1080"
            autoComplete="off"
            spellCheck={false}
            className="font-mono text-xs!"
          />
        </Field>
      </Disclosure>
    </div>
  );
}

export const OWNER_NOTE =
  'Codex Pooler renews this sign-in from now on, and only it may: if Codex goes on with the same file, both lose it. For your own Codex, run codex login again.';
