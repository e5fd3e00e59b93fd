import { ExternalLink } from 'lucide-react';
import { type FormEvent, type ReactNode, useState } from 'react';
import type { OAuthFlow, Upstream } from '@/api';
import { Button, buttonClass } from '@/ui/button';
import { CopyField } from '@/ui/copy';
import { Countdown } from '@/ui/countdown';
import { DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextArea } from '@/ui/field';
import { Step, Steps } from '@/ui/steps';
import { callbackProblem, callbackUrl } from './callback';
import { ProblemNotice } from './problem-notice';
import { problemOf, problemOfCode } from './problems';
import { usePasteCallback } from './queries';
import { WhoToSignInAs } from './who';

export interface FlowStepsProps {
  flow: OAuthFlow;
  /** What is out of order at the moment. */
  notice: ReactNode;
  upstream: Upstream | undefined;
  back: ReactNode;
  onRestart: () => void;
}

/** Sign in there, come back with the address of a page that could not be loaded. */
export function BrowserSteps({ flow, notice, upstream, back, onRestart }: FlowStepsProps) {
  const [text, setText] = useState('');
  const [wrong, setWrong] = useState<string | null>(null);
  const paste = usePasteCallback(flow.id);
  const busy = paste.isPending || flow.state === 'authorizing';

  function submit(event: FormEvent) {
    event.preventDefault();
    const code = text.trim() === '' ? 'empty' : callbackProblem(text);
    setWrong(code);
    if (code === null && !busy) paste.mutate(callbackUrl(text));
  }

  return (
    <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
      <DialogBody focusOnMount>
        <div className="space-y-4">
          {notice}
          {paste.error ? <ProblemNotice problem={problemOf(paste.error)} /> : null}
          <Steps>
            <Step title="Open the sign-in page">
              <div className="flex items-center gap-2">
                <a
                  href={flow.authorize_url ?? undefined}
                  target="_blank"
                  rel="noopener noreferrer"
                  className={buttonClass('secondary')}
                >
                  <ExternalLink /> Open
                </a>
                <div className="min-w-0 flex-1">
                  <CopyField label="Sign-in link" value={flow.authorize_url ?? ''} />
                </div>
              </div>
              <p className="text-xs text-ink-3">
                A private window keeps sign-ins of other ChatGPT accounts out of the way.
              </p>
            </Step>
            <Step title={<WhoToSignInAs upstream={upstream} />}>
              <p className="text-ink-2">
                At the end the browser says that a page at <code className="font-mono">localhost:1455</code>{' '}
                cannot be reached. That is how it should be: the address of that page is what is needed.
              </p>
            </Step>
            <Step title="Paste the address of that page">
              <Field label="Address" error={wrong === null ? undefined : fieldText(wrong)}>
                <TextArea
                  rows={3}
                  value={text}
                  onChange={(event) => {
                    setText(event.target.value);
                    setWrong(null);
                    paste.reset();
                  }}
                  placeholder="http://localhost:1455/auth/callback?code=…"
                  autoComplete="off"
                  spellCheck={false}
                  className="resize-none font-mono text-xs!"
                />
              </Field>
            </Step>
          </Steps>
          <p className="text-xs text-ink-3">
            The link is valid for <Countdown until={flow.expires_at} />.{' '}
            <button type="button" onClick={onRestart} className="font-medium text-accent-ink hover:underline">
              Get a new one
            </button>
          </p>
        </div>
      </DialogBody>
      <DialogFooter>
        {back}
        <Button look="primary" type="submit" disabled={busy}>
          {busy ? 'Completing the sign-in…' : 'Finish'}
        </Button>
      </DialogFooter>
    </form>
  );
}

function fieldText(code: string): string {
  if (code === 'empty') return 'Paste the address of the page that could not be loaded';
  const { title, next } = problemOfCode(code);
  return `${title}. ${next}`;
}
