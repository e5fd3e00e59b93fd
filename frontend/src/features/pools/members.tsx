import { useQuery } from '@tanstack/react-query';
import { UserMinus, UsersRound } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { type Pool, type PoolMember, upstreamsQuery } from '@/api';
import { upstreamStatus } from '@/features/upstreams';
import { Button, IconButton } from '@/ui/button';
import { NumberInput } from '@/ui/number-input';
import { Select } from '@/ui/select';
import { StatusDot, type Tone } from '@/ui/status';
import { Switch } from '@/ui/switch';
import { Tooltip } from '@/ui/tooltip';
import { useAddMember, useRemoveMember, useUpdateMember } from './queries';

interface MembersProps {
  pool: Pool;
  mayWrite: boolean;
}

/** The accounts of a pool and how each takes part. Every change is saved at once. */
export function Members({ pool, mayWrite }: MembersProps) {
  const { data: accounts } = useQuery(upstreamsQuery);
  const members = pool.members.toSorted(
    (a, b) => b.priority - a.priority || a.account.name.localeCompare(b.account.name),
  );
  const outside = (accounts?.items ?? []).filter(
    (account) => !pool.members.some((member) => member.account.id === account.id),
  );
  const statuses = new Map((accounts?.items ?? []).map((account) => [account.id, upstreamStatus(account)]));
  return (
    <>
      {members.length === 0 ? (
        <p className="flex items-center gap-2.5 rounded-lg border border-dashed border-line px-3 py-4 text-ink-3">
          <UsersRound aria-hidden className="size-4 shrink-0" /> No accounts yet: this pool cannot serve.
        </p>
      ) : (
        <ul className="divide-y divide-line rounded-lg border border-line">
          {members.map((member) => (
            <Member
              key={member.account.id}
              poolId={pool.id}
              member={member}
              status={statuses.get(member.account.id) ?? MEMBER_STATES[member.state]}
              mayWrite={mayWrite}
            />
          ))}
        </ul>
      )}
      {mayWrite && outside.length > 0 ? (
        <AddMember poolId={pool.id} accounts={outside.map(({ id, label }) => ({ value: id, label }))} />
      ) : null}
      {members.length > 0 ? (
        <p className="mt-2 text-xs text-ink-3">
          The highest priority is used first. Weight shares requests among equals. Above its percentage an
          account is left to its owner, and the pool turns to others.
        </p>
      ) : null}
    </>
  );
}

interface MemberStatus {
  tone: Tone;
  label: string;
}

/** What the pool itself knows of an account, until the list of accounts is there. */
const MEMBER_STATES: Record<PoolMember['state'], MemberStatus> = {
  pending: { tone: 'idle', label: 'Pending' },
  active: { tone: 'ok', label: 'Active' },
  draining: { tone: 'info', label: 'Draining' },
  paused: { tone: 'idle', label: 'Paused' },
  reauth_required: { tone: 'bad', label: 'Sign-in expired' },
  disabled: { tone: 'idle', label: 'Disabled' },
};

const HEADROOM = [
  {
    field: 'max_primary_percent',
    label: 'Short window up to, %',
    spoken: 'Use the short window up to',
  },
  {
    field: 'max_secondary_percent',
    label: 'Week or month up to, %',
    spoken: 'Use the week or month up to',
  },
] as const;

interface MemberProps {
  poolId: string;
  member: PoolMember;
  status: MemberStatus;
  mayWrite: boolean;
}

function Member({ poolId, member, status, mayWrite }: MemberProps) {
  const update = useUpdateMember(poolId);
  const remove = useRemoveMember(poolId);
  const { account, enabled } = member;
  const save = (patch: Parameters<typeof update.mutate>[0]['patch']) =>
    update.mutate({ accountId: account.id, patch });
  return (
    <li className="px-3 py-2.5">
      <div className="flex items-center gap-2">
        <span className="min-w-0 truncate font-medium">{account.name}</span>
        <StatusDot tone={enabled ? status.tone : 'idle'} className="mr-auto text-xs">
          {enabled ? status.label : 'Off in this pool'}
        </StatusDot>
        <Switch
          label={`Use ${account.name} in this pool`}
          checked={enabled}
          disabled={!mayWrite}
          onChange={(next) => save({ enabled: next })}
        />
        {mayWrite ? (
          <Tooltip content="Remove from the pool">
            <IconButton
              label={`Remove ${account.name} from the pool`}
              disabled={remove.isPending}
              onClick={() => remove.mutate(account.id)}
            >
              <UserMinus />
            </IconButton>
          </Tooltip>
        ) : null}
      </div>
      <div className="mt-1.5 grid grid-cols-3 gap-2.5">
        <Setting label="Priority">
          <NumberInput
            label={`Priority of ${account.name}`}
            value={member.priority}
            min={-1000}
            max={1000}
            disabled={!mayWrite}
            onCommit={(priority) => priority !== null && save({ priority })}
            className="w-full"
          />
        </Setting>
        <Setting label="Weight">
          <NumberInput
            label={`Weight of ${account.name}`}
            value={member.weight}
            min={0.01}
            max={100}
            step={0.01}
            disabled={!mayWrite}
            onCommit={(weight) => weight !== null && save({ weight })}
            className="w-full"
          />
        </Setting>
        <Setting label="At most in flight">
          <NumberInput
            label={`Requests of ${account.name} in flight at most`}
            value={member.max_concurrency}
            min={1}
            max={10_000}
            placeholder="no limit"
            disabled={!mayWrite}
            onCommit={(max_concurrency) => save({ max_concurrency })}
            className="w-full"
          />
        </Setting>
      </div>
      <div
        role="group"
        aria-label={`Headroom on ${account.name}`}
        className="mt-1.5 grid grid-cols-2 gap-2.5"
      >
        {HEADROOM.map(({ field, label, spoken }) => (
          <Setting key={field} label={label}>
            <NumberInput
              label={`${spoken} of ${account.name}, percent`}
              value={member[field]}
              min={1}
              max={100}
              placeholder="all of it"
              disabled={!mayWrite}
              onCommit={(percent) => save({ [field]: percent })}
              className="w-full"
            />
          </Setting>
        ))}
      </div>
    </li>
  );
}

function Setting({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <p aria-hidden className="mb-0.5 text-2xs text-ink-3">
        {label}
      </p>
      {children}
    </div>
  );
}

interface AddMemberProps {
  poolId: string;
  accounts: { value: string; label: string }[];
}

function AddMember({ poolId, accounts }: AddMemberProps) {
  const [chosen, setChosen] = useState<string | null>(null);
  const add = useAddMember(poolId);
  const account = accounts.find(({ value }) => value === chosen);
  return (
    <div className="mt-2 flex gap-2">
      <Select
        label="Account to add"
        placeholder="Choose an account"
        value={account?.value ?? null}
        onChange={setChosen}
        options={accounts}
        className="min-w-0 flex-1"
      />
      <Button
        disabled={!account || add.isPending}
        onClick={() =>
          account && add.mutate({ account_id: account.value }, { onSuccess: () => setChosen(null) })
        }
      >
        Add
      </Button>
    </div>
  );
}
