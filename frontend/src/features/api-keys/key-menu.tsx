import { useNavigate } from '@tanstack/react-router';
import {
  ArrowRightLeft,
  Ban,
  EllipsisVertical,
  Pause,
  Pencil,
  Play,
  RefreshCw,
  ScrollText,
  Trash2,
} from 'lucide-react';
import type { ApiKey } from '@/api';
import { IconButton } from '@/ui/button';
import { Menu, MenuItem, MenuSeparator } from '@/ui/menu';
import { useSetKeyPaused } from './queries';
import { actionOf } from './status';

export type KeyAction = 'edit' | 'move' | 'rotate' | 'revoke' | 'delete';

interface KeyMenuProps {
  apiKey: ApiKey;
  /** Opens the dialog of an action. */
  onAction: (action: KeyAction) => void;
}

/** Everything that can be done with a key. What cannot be done now stays visible and says why. */
export function KeyMenu({ apiKey, onAction }: KeyMenuProps) {
  const navigate = useNavigate();
  const setPaused = useSetKeyPaused();
  const paused = apiKey.status === 'paused';
  const item = (action: string) => {
    const { enabled, reason } = actionOf(apiKey, action);
    return { disabled: !enabled, hint: enabled ? null : reason };
  };
  return (
    <Menu
      trigger={
        <IconButton label={`Actions for ${apiKey.name}`}>
          <EllipsisVertical />
        </IconButton>
      }
    >
      <MenuItem
        icon={<ScrollText />}
        onClick={() => navigate({ to: '/requests', search: { key: [apiKey.id] } })}
      >
        Show requests
      </MenuItem>
      <MenuSeparator />
      <MenuItem icon={<Pencil />} onClick={() => onAction('edit')} {...item('edit')}>
        Edit…
      </MenuItem>
      <MenuItem icon={<ArrowRightLeft />} onClick={() => onAction('move')} {...item('move')}>
        Move to another pool…
      </MenuItem>
      <MenuItem
        icon={paused ? <Play /> : <Pause />}
        onClick={() => setPaused.mutate({ key: apiKey, paused: !paused })}
        {...item(paused ? 'resume' : 'pause')}
      >
        {paused ? 'Resume' : 'Pause'}
      </MenuItem>
      <MenuItem icon={<RefreshCw />} onClick={() => onAction('rotate')} {...item('rotate')}>
        Rotate…
      </MenuItem>
      <MenuSeparator />
      <MenuItem icon={<Ban />} danger onClick={() => onAction('revoke')} {...item('revoke')}>
        Revoke…
      </MenuItem>
      <MenuItem icon={<Trash2 />} danger onClick={() => onAction('delete')} {...item('delete')}>
        Delete…
      </MenuItem>
    </Menu>
  );
}
