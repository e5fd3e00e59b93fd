import { type FormEvent, useState } from 'react';
import { ApiError, type OAuthFlow, type Upstream } from '@/api';
import { Button } from '@/ui/button';
import { DialogBody, DialogFooter } from '@/ui/dialog';
import { Notice } from '@/ui/states';
import { BrowserSteps } from './browser-steps';
import { DeviceSteps } from './device-steps';
import { EgressField } from './egress-field';
import { Linked } from './linked';
import { usePoolChoice } from './pool-field';
import { ProblemNotice } from './problem-notice';
import { type LinkProblem, problemOf, problemOfCode, proxyProblem } from './problems';
import { isOpen, useCancelOnLeave, useFlow, useStartFlow } from './queries';

interface LinkFormProps {
  kind: OAuthFlow['kind'];
  /** The account that signs in again; a new one without it. */
  upstream?: Upstream;
  onBack?: () => void;
  onAgain?: () => void;
  onClose: () => void;
}

/** A sign-in with ChatGPT from its start to the account it brings, with every end it can come to. */
export function LinkForm({ kind, upstream, onBack, onAgain, onClose }: LinkFormProps) {
  const start = useStartFlow();
  const { data: flow, error } = useFlow(start.data);
  useCancelOnLeave(start.data?.id);
  const restart = () => start.variables && start.mutate(start.variables);
  const back = onBack ? (
    <Button className="mr-auto" onClick={onBack}>
      Back
    </Button>
  ) : null;

  if (!start.data || !flow)
    return (
      <StartForm
        kind={kind}
        upstream={upstream}
        back={back}
        pending={start.isPending}
        error={start.error}
        onStart={(values) => start.mutate({ kind, upstreamId: upstream?.id, ...values })}
      />
    );
  if (flow.state === 'completed') return <Linked flow={flow} onAgain={onAgain} onClose={onClose} />;
  const end = endOf(flow, error);
  if (end)
    return (
      <>
        <DialogBody focusOnMount>
          <ProblemNotice problem={end} />
        </DialogBody>
        <DialogFooter>
          {back}
          <Button look="primary" onClick={restart} disabled={start.isPending}>
            Start again
          </Button>
        </DialogFooter>
      </>
    );
  // The page to sign in at is told once, when the flow starts.
  const shown = { ...flow, authorize_url: flow.authorize_url ?? start.data.authorize_url };
  const away = awayText(flow, error);
  const notice = away ? <Notice tone="warn">{away}</Notice> : null;
  return kind === 'browser' ? (
    <BrowserSteps
      key={flow.id}
      flow={shown}
      notice={notice}
      upstream={upstream}
      back={back}
      onRestart={restart}
    />
  ) : (
    <DeviceSteps
      key={flow.id}
      flow={shown}
      notice={notice}
      upstream={upstream}
      back={back}
      onRestart={restart}
    />
  );
}

/** What is out of order for the moment; the sign-in goes on by itself. */
function awayText(flow: OAuthFlow, error: Error | null): string | null {
  if (error) return `${error.message.replace(/\.$/, '')}. The sign-in goes on when it can.`;
  return flow.error && problemOf(flow.error).title;
}

/** Why nothing more will come of a sign-in; null while it may succeed. */
function endOf(flow: OAuthFlow, error: Error | null): LinkProblem | null {
  if (error instanceof ApiError && error.status === 404) return problemOf(error);
  if (isOpen(flow)) return null;
  // Its code is also that of an auth.json whose token has expired, which needs other words.
  if (flow.state === 'expired' || flow.error?.code === 'expired_token') return problemOfCode('expired_flow');
  if (flow.error) return problemOf(flow.error);
  return problemOfCode('stale_flow');
}

interface StartFormProps {
  kind: OAuthFlow['kind'];
  upstream: Upstream | undefined;
  back: React.ReactNode;
  pending: boolean;
  error: Error | null;
  onStart: (values: { pool: ReturnType<typeof usePoolChoice>['target']; egressProxy: string }) => void;
}

const LEADS: Record<OAuthFlow['kind'], string> = {
  browser:
    'You get a link to the ChatGPT sign-in page. It may be opened on any computer; what it leads to is pasted here.',
  device:
    'You get a code that is entered on a ChatGPT page, on any computer or phone. Nothing has to be pasted back.',
};

function StartForm({ kind, upstream, back, pending, error, onStart }: StartFormProps) {
  const [egressProxy, setEgressProxy] = useState('');
  const pool = usePoolChoice(upstream?.pools[0]?.id);
  const proxyError = proxyProblem(error);
  function submit(event: FormEvent) {
    event.preventDefault();
    if (!pending) onStart({ pool: pool.target, egressProxy: egressProxy.trim() });
  }
  // Somebody who signs in again has nothing to choose.
  const chooses = !upstream || upstream.pools.length === 0;
  return (
    <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
      <DialogBody focusOnMount>
        <div className="space-y-4">
          {error && (upstream || !proxyError) ? <ProblemNotice problem={problemOf(error)} /> : null}
          <p className="text-ink-2">{LEADS[kind]}</p>
          {chooses ? pool.field : null}
          {upstream ? null : <EgressField value={egressProxy} onChange={setEgressProxy} error={proxyError} />}
        </div>
      </DialogBody>
      <DialogFooter>
        {back}
        <Button look="primary" type="submit" disabled={pending}>
          {pending ? 'One moment…' : kind === 'browser' ? 'Get the link' : 'Get a code'}
        </Button>
      </DialogFooter>
    </form>
  );
}
