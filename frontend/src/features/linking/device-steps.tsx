import { ExternalLink } from 'lucide-react';
import { Button, buttonClass } from '@/ui/button';
import { BigCode, CopyField } from '@/ui/copy';
import { Countdown } from '@/ui/countdown';
import { DialogBody, DialogFooter } from '@/ui/dialog';
import { StatusDot } from '@/ui/status';
import { Step, Steps } from '@/ui/steps';
import type { FlowStepsProps } from './browser-steps';
import { WhoToSignInAs } from './who';

/** Enter a code there; what comes of it shows here by itself. */
export function DeviceSteps({ flow, notice, upstream, back, onRestart }: FlowStepsProps) {
  return (
    <>
      <DialogBody focusOnMount>
        <div className="space-y-4">
          {notice}
          <Steps>
            <Step title="Open this page, on any computer or phone">
              <div className="flex items-center gap-2">
                <a
                  href={flow.verification_url ?? undefined}
                  target="_blank"
                  rel="noopener noreferrer"
                  className={buttonClass('secondary')}
                >
                  <ExternalLink /> Open
                </a>
                <div className="min-w-0 flex-1">
                  <CopyField label="Page for the code" value={flow.verification_url ?? ''} />
                </div>
              </div>
            </Step>
            <Step title={<WhoToSignInAs upstream={upstream} />} />
            <Step title="Enter this code">
              <BigCode label="Code" value={flow.user_code ?? ''} />
            </Step>
          </Steps>
          <p role="status" className="flex flex-wrap items-center justify-between gap-2">
            <StatusDot tone="info">
              {flow.state === 'authorizing'
                ? 'Completing the sign-in…'
                : 'Waiting for the code to be entered'}
            </StatusDot>
          </p>
          <p className="text-xs text-ink-3">
            The code is valid for <Countdown until={flow.expires_at} />.{' '}
            <button type="button" onClick={onRestart} className="font-medium text-accent-ink hover:underline">
              Get a new one
            </button>
          </p>
          <p className="border-t border-line pt-3 text-xs text-ink-3">{DEVICE_HINT}</p>
        </div>
      </DialogBody>
      <DialogFooter>
        {back}
        <Button look="primary" disabled>
          Waiting…
        </Button>
      </DialogFooter>
    </>
  );
}

const DEVICE_HINT =
  'Does the page refuse every code? Sign-in by device code must be allowed in ChatGPT, under Settings, Security, and in a workspace by its admin as well. Until then this stays as it is; the browser sign-in needs no such permission.';
