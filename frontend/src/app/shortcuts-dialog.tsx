import { setPreference, usePreferences } from '@/lib/preferences';
import { Dialog, DialogBody } from '@/ui/dialog';
import { Kbd } from '@/ui/kbd';
import { Switch } from '@/ui/switch';
import { useNavigation } from './navigation';

interface ShortcutGroup {
  label: string;
  keys: [keys: string, does: string][];
}

const groupsFor = (destinations: ShortcutGroup['keys']): ShortcutGroup[] => [
  {
    label: 'Everywhere',
    keys: [
      ['mod+k', 'Find a page, account, pool or action'],
      ['/', 'Go to the filter box'],
      ['mod+.', 'Hide or show e-mail addresses'],
      ['?', 'This list'],
    ],
  },
  {
    label: 'Go to',
    keys: destinations,
  },
  {
    label: 'An account, a request, a job',
    keys: [
      ['j', 'The next one'],
      ['k', 'The one before'],
      ['l', 'Follow new requests in the log'],
      ['Escape', 'Close the detail, or back to the list'],
    ],
  },
];

export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  const { singleKeyShortcuts } = usePreferences();
  const items = useNavigation().flatMap((group) => group.items);
  return (
    <Dialog open onClose={onClose} title="Keyboard shortcuts">
      <DialogBody>
        <div className="grid gap-x-8 gap-y-5 sm:grid-cols-2">
          {groupsFor(items.map((item) => [item.shortcut, item.label])).map((group) => (
            <section key={group.label}>
              <h3 className="mb-1.5 text-xs font-medium text-ink-3">{group.label}</h3>
              <dl className="space-y-1.5">
                {group.keys.map(([keys, does]) => (
                  <div key={keys} className="flex items-center justify-between gap-4">
                    <dt className="text-ink-2">{does}</dt>
                    <dd>
                      <Kbd keys={keys} />
                    </dd>
                  </div>
                ))}
              </dl>
            </section>
          ))}
        </div>
        <div className="mt-6 flex items-center justify-between gap-4 border-t border-line pt-4">
          <p className="text-ink-2">Shortcuts of a single key</p>
          <Switch
            label="Shortcuts of a single key"
            checked={singleKeyShortcuts}
            onChange={(on) => setPreference('singleKeyShortcuts', on)}
          />
        </div>
      </DialogBody>
    </Dialog>
  );
}
