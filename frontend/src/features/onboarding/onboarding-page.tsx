import { ExternalLink } from 'lucide-react';
import { useState } from 'react';
import { isApiError, type Onboarding } from '@/api';
import { AuthFrame } from '@/features/session';
import { Button, buttonClass } from '@/ui/button';
import { BigCode, CodeSnippet, CopyField } from '@/ui/copy';
import { Countdown } from '@/ui/countdown';
import { RelativeTime } from '@/ui/relative-time';
import { ErrorState, Notice, Skeleton } from '@/ui/states';
import { StatusDot } from '@/ui/status';
import { Step, Steps } from '@/ui/steps';
import { useOnboarding, useStartDevice } from './queries';
import { ENDS, explain, type Trouble, troubleOf } from './words';

/** Where somebody who was invited signs in with the ChatGPT account that they lend to a pool. */
export function OnboardingPage({ token }: { token: string }) {
  const { data: invite, error, refetch, pollError } = useOnboarding(token);
  if (!invite && isApiError(error) && error.status === 404) return <Ended trouble={ENDS.invalid} />;
  if (!invite && error)
    return (
      <AuthFrame title="Your invite" lead="It could not be opened.">
        <ErrorState error={new Error(explain(error))} retry={refetch} />
      </AuthFrame>
    );
  if (!invite)
    return (
      <AuthFrame title="Your invite" lead="One moment…">
        <div role="status" aria-label="Loading" className="space-y-3">
          <Skeleton className="h-4 w-4/5" />
          <Skeleton className="h-4 w-3/5" />
          <Skeleton className="h-8 rounded-md" />
        </div>
      </AuthFrame>
    );
  switch (invite.state) {
    case 'ready':
      return <Ready invite={invite} token={token} />;
    case 'device_pending':
      return <Code invite={invite} pollError={pollError} />;
    case 'device_error':
      return <Failed invite={invite} token={token} />;
    case 'accepted':
      return <Accepted invite={invite} />;
    case 'expired':
    case 'revoked':
    case 'invalid':
      return <Ended trouble={ENDS[invite.state]} />;
  }
}

interface StateProps {
  invite: Onboarding;
  token: string;
}

function Invited({ invite }: { invite: Onboarding }) {
  return (
    <>
      You were invited as <span className="font-medium text-ink-2">{invite.invited_email_masked}</span>.
    </>
  );
}

function Ready({ invite, token }: StateProps) {
  return (
    <AuthFrame title={`Join ${invite.pool_name ?? 'the pool'}`} lead={<Invited invite={invite} />}>
      <div className="space-y-4">
        <p>
          Sign in with your ChatGPT account, and the people of this pool can use its Codex quota. Your
          password stays with ChatGPT, and your chats are not read.
        </p>
        <ul className="list-disc space-y-1 pl-5 text-ink-2">
          <li>You get a code and enter it on a page of ChatGPT.</li>
          <li>Only the invited address is accepted.</li>
          <li>You can end it at any time: ask for its removal, or sign out of all devices in ChatGPT.</li>
        </ul>
        <StartButton token={token} text="Get a code" />
        {invite.expires_at ? (
          <p className="text-xs text-ink-3">
            The invite ends <RelativeTime at={invite.expires_at} />.
          </p>
        ) : null}
      </div>
    </AuthFrame>
  );
}

function StartButton({ token, text }: { token: string; text: string }) {
  const start = useStartDevice(token);
  return (
    <div className="space-y-3">
      {start.error ? <Notice tone="bad">{explain(start.error)}</Notice> : null}
      <Button look="primary" className="w-full" disabled={start.isPending} onClick={() => start.mutate()}>
        {start.isPending ? 'One moment…' : text}
      </Button>
    </div>
  );
}

function Code({ invite, pollError }: { invite: Onboarding; pollError: Error | null }) {
  const { flow } = invite;
  if (!flow) return <Completing invite={invite} />;
  const away = pollError ? explain(pollError) : invite.error && troubleOf(invite).title;
  return (
    <AuthFrame title={`Join ${invite.pool_name ?? 'the pool'}`} lead={<Invited invite={invite} />}>
      <div className="space-y-5">
        {away ? <Notice tone="warn">{away}. The code stays valid meanwhile.</Notice> : null}
        <Steps>
          <Step title="Copy this code">
            <BigCode label="Code" value={flow.user_code} />
          </Step>
          <Step title="Enter it on the page of ChatGPT">
            <a
              href={flow.verification_url}
              target="_blank"
              rel="noopener noreferrer"
              className={buttonClass('primary')}
            >
              <ExternalLink /> Open the page
            </a>
            <p className="text-xs [overflow-wrap:anywhere] text-ink-3">{flow.verification_url}</p>
          </Step>
          <Step title="Come back here">
            <p role="status">
              <StatusDot tone="info">Waiting for the code to be entered</StatusDot>
            </p>
          </Step>
        </Steps>
        <p className="text-xs text-ink-3">
          The code is valid for <Countdown until={flow.expires_at} />.
        </p>
        <p className="border-t border-line pt-3 text-xs text-ink-3">
          Does the page refuse every code? Sign-in by device code must be allowed in ChatGPT, under Settings,
          Security, and in a workspace by its admin as well.
        </p>
      </div>
    </AuthFrame>
  );
}

/** The code was entered; what it brings is on its way. */
function Completing({ invite }: { invite: Onboarding }) {
  return (
    <AuthFrame title={`Join ${invite.pool_name ?? 'the pool'}`} lead={<Invited invite={invite} />}>
      <p role="status">
        <StatusDot tone="info">Completing the sign-in…</StatusDot>
      </p>
    </AuthFrame>
  );
}

function Failed({ invite, token }: StateProps) {
  const { title, next } = troubleOf(invite);
  return (
    <AuthFrame title={`Join ${invite.pool_name ?? 'the pool'}`} lead={<Invited invite={invite} />}>
      <div className="space-y-4">
        <Notice tone="bad">
          <p className="font-medium">{title}</p>
          <p className="text-ink-2">{next}</p>
        </Notice>
        <StartButton token={token} text="Get a new code" />
      </div>
    </AuthFrame>
  );
}

function Accepted({ invite }: { invite: Onboarding }) {
  // Kept here, because a later answer does not hold the key again.
  const [apiKey] = useState(invite.api_key);
  return (
    <AuthFrame
      wide
      title="Your account is linked"
      lead={`It serves ${invite.pool_name ?? 'the pool'} from now on. You can close this page.`}
    >
      <div className="space-y-4">
        {apiKey ? (
          <div className="space-y-2">
            <Notice tone="warn">
              This is your key of the pool. Copy it now: it is shown this once and cannot be had again.
            </Notice>
            <CopyField label="Your key" value={apiKey} />
            <CodeSnippet
              title="For the shell"
              code={`export CODEX_POOLER_API_KEY="${apiKey}"`}
              display={'export CODEX_POOLER_API_KEY="…"'}
            />
          </div>
        ) : null}
        {invite.client_config ? (
          <div className="space-y-2">
            <p className="text-ink-2">
              To use the pool with Codex, put this into its configuration.
              {apiKey ? '' : ' The key comes from whoever invited you.'}
            </p>
            <CodeSnippet title="~/.codex/config.toml" code={invite.client_config} />
          </div>
        ) : null}
      </div>
    </AuthFrame>
  );
}

function Ended({ trouble }: { trouble: Trouble }) {
  return (
    <AuthFrame title={trouble.title} lead={trouble.next}>
      {null}
    </AuthFrame>
  );
}
