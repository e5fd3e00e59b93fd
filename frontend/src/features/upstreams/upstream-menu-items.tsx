import { useNavigate } from '@tanstack/react-router';
import {
  Hourglass,
  KeySquare,
  Layers,
  LogIn,
  MailPlus,
  Pause,
  Pencil,
  Play,
  RefreshCw,
  ScrollText,
  Trash2,
  UserRound,
} from 'lucide-react';
import type { Upstream } from '@/api';
import { MenuItem, MenuSeparator } from '@/ui/menu';
import type { AccountAction } from './account-dialog';
import { useDrain, useRenewLogin, useSetPaused } from './queries';
import { actionOf, isResting } from './status';

interface UpstreamMenuItemsProps {
  upstream: Upstream;
  /** Opens the dialog of an action. */
  onAction: (action: AccountAction) => void;
}

/** Everything that can be done with an account. What cannot be done now stays visible and says why. */
export default function UpstreamMenuItems({ upstream, onAction }: UpstreamMenuItemsProps) {
  const navigate = useNavigate();
  const setPaused = useSetPaused();
  const renew = useRenewLogin();
  const drain = useDrain();
  const paused = isResting(upstream);
  const toggle = actionOf(upstream, paused ? 'reactivate' : 'pause');
  const item = (action: string) => {
    const { enabled, reason } = actionOf(upstream, action);
    return { disabled: !enabled, hint: enabled ? null : reason };
  };
  return (
    <>
      <MenuItem
        icon={<UserRound />}
        onClick={() => navigate({ to: '/upstreams/$id', params: { id: upstream.id } })}
      >
        Open its page
      </MenuItem>
      <MenuItem
        icon={<ScrollText />}
        onClick={() => navigate({ to: '/requests', search: { account: [upstream.id] } })}
      >
        Show requests
      </MenuItem>
      <MenuSeparator />
      <MenuItem icon={<Layers />} onClick={() => onAction('assign')} {...item('assign')}>
        Pools…
      </MenuItem>
      <MenuItem icon={<Pencil />} onClick={() => onAction('edit')} {...item('rename')}>
        Edit details…
      </MenuItem>
      <MenuItem icon={<RefreshCw />} onClick={() => renew.mutate(upstream)} {...item('refresh')}>
        Renew sign-in
      </MenuItem>
      <MenuItem icon={<LogIn />} onClick={() => onAction('relink')} {...item('rename')}>
        Sign in again…
      </MenuItem>
      <MenuItem icon={<KeySquare />} onClick={() => onAction('replace')} {...item('rename')}>
        Replace credentials…
      </MenuItem>
      <MenuItem icon={<MailPlus />} onClick={() => onAction('reinvite')} {...item('rename')}>
        Invite its owner…
      </MenuItem>
      <MenuSeparator />
      <MenuItem icon={<Hourglass />} onClick={() => drain.mutate(upstream)} {...item('drain')}>
        Drain
      </MenuItem>
      <MenuItem
        icon={paused ? <Play /> : <Pause />}
        disabled={!toggle.enabled}
        hint={toggle.enabled ? null : toggle.reason}
        onClick={() => setPaused.mutate({ upstream, paused: !paused })}
      >
        {paused ? 'Reactivate' : 'Pause'}
      </MenuItem>
      <MenuItem icon={<Trash2 />} danger onClick={() => onAction('delete')} {...item('delete')}>
        Delete…
      </MenuItem>
    </>
  );
}
