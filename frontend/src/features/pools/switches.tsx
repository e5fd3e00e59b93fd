import type { Pool } from '@/api';
import { SwitchRow } from '@/ui/switch';
import { useSetSwitch } from './queries';
import { SWITCH_GROUPS } from './switch-words';

/** What a pool allows and how it behaves. Every change is saved at once. */
export function Switches({ pool, mayWrite }: { pool: Pool; mayWrite: boolean }) {
  const set = useSetSwitch();
  return (
    <div className="space-y-4">
      {SWITCH_GROUPS.map((group) => (
        <div key={group.title} role="group" aria-label={group.title}>
          <p aria-hidden className="text-xs font-medium text-ink-3">
            {group.title}
          </p>
          <div className="divide-y divide-line">
            {group.switches.map(({ name, label, hint }) => (
              <SwitchRow
                key={name}
                label={label}
                hint={hint}
                checked={pool.switches[name]}
                disabled={!mayWrite}
                onChange={(on) => set.mutate({ pool, name, on })}
              />
            ))}
          </div>
        </div>
      ))}
    </div>
  );
}
