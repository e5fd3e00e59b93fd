import { Keyboard, LogOut } from 'lucide-react';
import { useOperator } from '@/features/session';
import { Menu, MenuItem, MenuNote, MenuSeparator } from '@/ui/menu';
import { PrivateEmail } from '@/ui/private';
import { AccountButton } from './account-button';
import { useLeave } from './use-leave';

const ROLES = {
  instance_owner: 'Owner',
  instance_admin: 'Administrator',
  instance_viewer: 'Viewer',
} as const;

interface AccountMenuProps {
  onShortcuts: () => void;
  /** Set when its button was pressed before the menu was loaded. */
  defaultOpen: boolean;
}

/** Who is signed in, and the way out. */
export function AccountMenu({ onShortcuts, defaultOpen }: AccountMenuProps) {
  const operator = useOperator();
  const signOut = useLeave();
  return (
    <Menu align="start" defaultOpen={defaultOpen} trigger={<AccountButton />}>
      <MenuNote>
        <span className="block truncate text-ink-2">
          <PrivateEmail>{operator.email}</PrivateEmail>
        </span>
        {ROLES[operator.role]}
      </MenuNote>
      <MenuSeparator />
      <MenuItem icon={<Keyboard />} shortcut="?" onClick={onShortcuts}>
        Keyboard shortcuts
      </MenuItem>
      <MenuItem icon={<LogOut />} onClick={signOut}>
        Sign out
      </MenuItem>
    </Menu>
  );
}
