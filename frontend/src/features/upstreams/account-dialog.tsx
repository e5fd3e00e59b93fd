import { lazy } from 'react';
import type { Upstream } from '@/api';

const RelinkDialog = lazy(() => import('@/features/linking').then((m) => ({ default: m.RelinkDialog })));
const ReplaceCredentialsDialog = lazy(() =>
  import('@/features/linking').then((m) => ({ default: m.ReplaceCredentialsDialog })),
);
const ReinviteDialog = lazy(() => import('@/features/linking').then((m) => ({ default: m.ReinviteDialog })));
const EditDialog = lazy(() => import('./edit-dialog').then((m) => ({ default: m.EditDialog })));
const DeleteDialog = lazy(() => import('./account-dialogs').then((m) => ({ default: m.DeleteDialog })));
const PoolsDialog = lazy(() => import('./account-dialogs').then((m) => ({ default: m.PoolsDialog })));

/** What can be done with one account in a dialog. */
export type AccountAction = 'edit' | 'delete' | 'assign' | 'relink' | 'replace' | 'reinvite';

interface AccountDialogProps {
  action: AccountAction;
  upstream: Upstream;
  onClose: () => void;
  onDeleted?: () => void;
}

/** The dialog of an action, loaded when it is opened. */
export function AccountDialog({ action, upstream, onClose, onDeleted = onClose }: AccountDialogProps) {
  switch (action) {
    case 'relink':
      return <RelinkDialog upstream={upstream} onClose={onClose} />;
    case 'replace':
      return <ReplaceCredentialsDialog upstream={upstream} onClose={onClose} />;
    case 'reinvite':
      return <ReinviteDialog upstream={upstream} onClose={onClose} />;
    case 'edit':
      return <EditDialog upstream={upstream} onClose={onClose} />;
    case 'delete':
      return <DeleteDialog upstream={upstream} onClose={onClose} onDeleted={onDeleted} />;
    case 'assign':
      return <PoolsDialog upstream={upstream} onClose={onClose} />;
  }
}
