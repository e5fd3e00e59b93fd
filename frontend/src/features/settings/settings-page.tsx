import { useSuspenseQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Lock } from 'lucide-react';
import type { ReactNode } from 'react';
import { useCan } from '@/features/session';
import { PageHeader, Panel } from '@/ui/page';
import { EmptyState } from '@/ui/states';
import type { GroupName } from './fields';
import { FirewallCheck } from './firewall-check';
import { MailTrial } from './mail-trial';
import { settingsQuery, settingsSchemaQuery } from './queries';
import { SettingsGroup } from './settings-group';

/** What concerns the whole instance, each group with a save button of its own. */
export function SettingsPage() {
  return useCan('settings:read') ? <Settings /> : <OwnersOnly />;
}

function Settings() {
  const { data: settings } = useSuspenseQuery(settingsQuery);
  const { data: schema } = useSuspenseQuery(settingsSchemaQuery);
  return (
    <>
      <PageHeader title="Settings" facts="Changes count at once, without a restart." />
      <div className="flex items-start gap-8">
        <nav aria-label="Groups of settings" className="sticky top-0 w-40 shrink-0 max-lg:hidden">
          <ul className="space-y-0.5">
            {schema.groups.map(({ name, title }) => (
              <li key={name}>
                <Link
                  to="/settings"
                  hash={name}
                  className="flex h-7.5 cursor-default items-center rounded-md px-2 text-ink-2 hover:bg-hover hover:text-ink"
                >
                  {title}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className="min-w-0 max-w-3xl flex-1 space-y-4">
          {schema.groups.map((rules) => (
            <SettingsGroup
              key={rules.name}
              rules={rules}
              group={settings[rules.name]}
              extra={EXTRAS[rules.name]}
            />
          ))}
        </div>
      </div>
    </>
  );
}

const EXTRAS: Partial<Record<GroupName, (patch: Record<string, unknown>) => ReactNode>> = {
  ingress: (patch) => <FirewallCheck patch={patch} />,
  smtp: (patch) => <MailTrial unsaved={Object.keys(patch).length > 0} />,
};

function OwnersOnly() {
  return (
    <>
      <PageHeader title="Settings" />
      <Panel>
        <EmptyState icon={<Lock />} title="For owners only">
          Settings concern the whole instance. Ask an owner to change them.
        </EmptyState>
      </Panel>
    </>
  );
}
