import type { Quota } from '@/api';
import { formatInteger, formatPercent, humanise, UNKNOWN } from '@/lib/format';
import { Fact } from '@/ui/page';
import { RelativeTime } from '@/ui/relative-time';
import { UsageRow } from '@/ui/usage-meter';

/** What the provider says of the account beside its windows: its verdict, credits, and a spending limit. */
export function ProviderFacts({ quota }: { quota: Quota }) {
  const { provider_status: status, spend } = quota;
  const credits = ofInterest(quota.credits);
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
            {creditsText(credits)}
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

type Credits = NonNullable<Quota['credits']>;

/** That there are no credits is only worth saying where they matter. */
function ofInterest(credits: Quota['credits']): Credits | null {
  if (!credits) return null;
  const { has_credits, unlimited, burning, overage_reached } = credits;
  return has_credits || unlimited || burning || overage_reached ? credits : null;
}

function creditsText({ unlimited, has_credits, balance }: Credits): string {
  if (unlimited) return 'unlimited';
  if (!has_credits) return 'none';
  return balance === null ? 'some' : formatInteger(balance);
}

function amount(value: number | null): string {
  return value === null ? UNKNOWN : formatInteger(value);
}
