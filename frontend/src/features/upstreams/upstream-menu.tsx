import { EllipsisVertical } from 'lucide-react';
import { lazy, Suspense } from 'react';
import type { Upstream } from '@/api';
import { IconButton } from '@/ui/button';
import { Menu } from '@/ui/menu';
import { Skeleton } from '@/ui/states';
import type { AccountAction } from './account-dialog';

const load = () => import('./upstream-menu-items');
const UpstreamMenuItems = lazy(load);

interface UpstreamMenuProps {
  upstream: Upstream;
  /** Opens the dialog of an action. */
  onAction: (action: AccountAction) => void;
}

/** The menu of an account; what is in it is fetched when somebody comes near. */
export function UpstreamMenu({ upstream, onAction }: UpstreamMenuProps) {
  return (
    <Menu
      trigger={
        <IconButton label={`Actions for ${upstream.label}`} onPointerEnter={load} onFocus={load}>
          <EllipsisVertical />
        </IconButton>
      }
    >
      <Suspense fallback={<Skeleton className="h-80" />}>
        <UpstreamMenuItems upstream={upstream} onAction={onAction} />
      </Suspense>
    </Menu>
  );
}
