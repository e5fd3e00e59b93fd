import { type FormEvent, useState } from 'react';
import { ApiError, type FirewallVerdict, type IngressPatch } from '@/api';
import { Button } from '@/ui/button';
import { Disclosure } from '@/ui/disclosure';
import { Field, TextInput } from '@/ui/field';
import { Notice } from '@/ui/states';
import { useCheckFirewall } from './queries';

const REASONS: Record<NonNullable<FirewallVerdict['reason']>, string> = {
  not_allowed: 'the address is not on the list.',
  forwarded_header_missing: 'a trusted proxy has to name its client, and this one does not.',
  forwarded_chain_unresolved: 'every address in the chain is a trusted proxy.',
  forwarded_depth_unsatisfied: 'the chain is shorter than the depth.',
  forwarded_hop_limit_exceeded: 'the chain has more than 32 entries.',
  forwarded_entry_too_long: 'an entry of the chain is too long.',
  invalid_forwarded_entry: 'an entry of the chain is no address.',
  invalid_forwarded_bytes: 'an entry of the chain holds bytes that are no text.',
  duplicate_x_real_ip: 'X-Real-IP came twice.',
  invalid_allowlist_rules: 'the stored list cannot be read; save it again.',
  invalid_trusted_proxy_rules: 'the stored list of proxies cannot be read; save it again.',
};

/** Asks whether a client would be let in, with the settings as they stand in the form above. */
export function FirewallCheck({ patch }: { patch: IngressPatch }) {
  const check = useCheckFirewall();
  const [ip, setIp] = useState('');
  const [forwardedFor, setForwardedFor] = useState('');
  const [realIp, setRealIp] = useState('');
  const unsaved = Object.keys(patch).length > 0;
  const asked = {
    ip: ip.trim(),
    headers: {
      ...(forwardedFor.trim() ? { 'x-forwarded-for': forwardedFor.trim() } : {}),
      ...(realIp.trim() ? { 'x-real-ip': realIp.trim() } : {}),
    },
    ...(unsaved ? { values: patch } : {}),
  };
  // An answer to another question than the one in the form would mislead.
  const current = JSON.stringify(check.variables) === JSON.stringify(asked);
  function submit(event: FormEvent) {
    event.preventDefault();
    if (asked.ip !== '') check.mutate(asked);
  }
  return (
    <form
      onSubmit={submit}
      noValidate
      aria-label="Check an address"
      className="border-t border-line px-4 py-3"
    >
      <h3 className="font-medium">Would it be let in?</h3>
      <p className="mb-3 text-xs text-ink-3">
        {unsaved ? 'Tried with your changes, before they are saved.' : 'Tried with the settings as they are.'}
      </p>
      <div className="flex flex-wrap items-end gap-2.5">
        <div className="min-w-0 flex-1 basis-48">
          <Field label="Address of the connection">
            <TextInput
              value={ip}
              onChange={(event) => setIp(event.target.value)}
              placeholder="203.0.113.7"
              autoComplete="off"
              spellCheck={false}
            />
          </Field>
        </div>
        <Button type="submit" disabled={check.isPending || ip.trim() === ''}>
          Check
        </Button>
      </div>
      <div className="mt-3">
        <Disclosure title="Through a proxy" summary="no headers" open={false}>
          <div className="grid gap-2.5 sm:grid-cols-2">
            <Field label="X-Forwarded-For">
              <TextInput
                value={forwardedFor}
                onChange={(event) => setForwardedFor(event.target.value)}
                autoComplete="off"
                spellCheck={false}
              />
            </Field>
            <Field label="X-Real-IP">
              <TextInput
                value={realIp}
                onChange={(event) => setRealIp(event.target.value)}
                autoComplete="off"
                spellCheck={false}
              />
            </Field>
          </div>
        </Disclosure>
      </div>
      <div role="status">
        {check.error && current ? (
          <Notice tone="bad">{told(check.error)}</Notice>
        ) : check.data && current ? (
          <Verdict verdict={check.data} />
        ) : null}
      </div>
    </form>
  );
}

function Verdict({ verdict: { allowed, reason, resolved_ip } }: { verdict: FirewallVerdict }) {
  if (allowed)
    return (
      <Notice tone="info">
        Let in{resolved_ip ? `, as ${resolved_ip}` : ', though its address cannot be told'}.
      </Notice>
    );
  return (
    <Notice tone="warn">
      {resolved_ip ? `${resolved_ip} is kept out` : 'Kept out'}:{' '}
      {reason ? REASONS[reason] : 'no reason was given.'}
    </Notice>
  );
}

function told(error: Error): string {
  const first = error instanceof ApiError ? error.problem.errors?.[0]?.message : undefined;
  return first ?? error.message;
}
