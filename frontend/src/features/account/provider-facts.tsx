import type { Quota } from '@/api';
import { formatInteger, formatPercent, humanise, UNKNOWN } from '@/lib/format';
import { Fact } from '@/ui/page';
import { RelativeTime } from '@/ui/relative-time';
import { UsageRow } from '@/ui/usage-meter';

/** What the provider says of the account beside its windows: its verdict, credits, and a spending limit. */
export function ProviderFacts({ quota: { provider_status: status, credits, spend } }: { quota: Quota }) {
  if (!status && !credits && !spend) return null;
  if (status?.allowed && !status.limit_reached && !credits && !spend)
    return <p className="text-xs text-ink-3">The provider allows it to be used.</p>;
  return (
    <div className="space-y-3 border-t border-line pt-3">
      <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3">
        {status ? (
          <Fact label="The provider says">
            {status.limit_reached ? (
              <span className="text-bad-ink">
                limit reached{status.reached_type ? `, ${humanise(status.reached_type).toLowerCase()}` : ''}
              </span>
            ) : status.allowed === false ? (
              <span className="text-bad-ink">not allowed now</span>
            ) : status.allowed ? (
              'allowed'
            ) : (
              UNKNOWN
            )}
          </Fact>
        ) : null}
        {credits ? (
          <Fact label="Credits">
            {credits.unlimited
              ? 'unlimited'
              : credits.has_credits
                ? credits.balance === null
                  ? 'some'
                  : formatInteger(credits.balance)
                : 'none'}
            {credits.burning ? <span className="text-warn-ink">, being spent</span> : null}
          </Fact>
        ) : null}
        {credits?.overage_reached ? (
          <Fact label="Overage">
            <span className="text-bad-ink">limit reached</span>
          </Fact>
        ) : null}
      </dl>
      {spend && spend.used_percent !== null ? (
        <UsageRow
          label="Spending limit"
          percent={spend.used_percent}
          amount={`${amount(spend.used)} / ${amount(spend.limit)}`}
          note={
            spend.resets_at ? (
              <>
                {spend.reached
                  ? 'begins anew '
                  : `${formatPercent(100 - spend.used_percent)} left, begins anew `}
                <RelativeTime at={spend.resets_at} />
              </>
            ) : (
              ''
            )
          }
        />
      ) : null}
    </div>
  );
}

function amount(value: number | null): string {
  return value === null ? UNKNOWN : formatInteger(value);
}
