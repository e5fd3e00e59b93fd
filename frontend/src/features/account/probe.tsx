import { FlaskConical } from 'lucide-react';
import type { ProbeResult, Upstream } from '@/api';
import { actionOf } from '@/features/upstreams';
import { formatDuration, humanise } from '@/lib/format';
import { StatusDot } from '@/ui/status';
import { ActionButton } from './action-button';
import { useProbe } from './queries';

/** Tries the account out with one tiny turn and shows what came of it. */
export function Probe({ upstream }: { upstream: Upstream }) {
  const probe = useProbe();
  return (
    <>
      <ActionButton
        icon={<FlaskConical />}
        {...actionOf(upstream, 'probe')}
        pending={probe.isPending}
        onClick={() => probe.mutate(upstream)}
      >
        {probe.isPending ? 'Testing…' : 'Test with a tiny turn'}
      </ActionButton>
      <div role="status" className="px-4 empty:hidden">
        {probe.data ? <Outcome result={probe.data} /> : null}
        {probe.error ? (
          <p className="mb-1 rounded-md bg-bad-wash px-2.5 py-1.5 text-xs text-bad-ink">
            {probe.error.message}
          </p>
        ) : null}
      </div>
    </>
  );
}

function Outcome({ result: { ok, status, latency_ms, ttft_ms, model, error } }: { result: ProbeResult }) {
  return (
    <div className="mb-1 rounded-md bg-sunken px-2.5 py-1.5 text-xs">
      <p className="flex items-baseline justify-between gap-2">
        <StatusDot tone={ok ? 'ok' : 'bad'}>{ok ? 'It answers' : 'It does not answer'}</StatusDot>
        <span className="tnum text-ink-3">
          {ttft_ms === null ? '' : `first token ${formatDuration(ttft_ms)}, `}
          {formatDuration(latency_ms)}
        </span>
      </p>
      <p className="mt-0.5 text-ink-2 [overflow-wrap:anywhere]">
        {model}
        {status === null ? '' : `, HTTP ${status}`}
        {error ? `: ${error.detail ?? humanise(error.code)}` : ''}
      </p>
    </div>
  );
}
