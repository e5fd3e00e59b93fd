export { AddAccountDialog } from './add-account-dialog';
export { NewInviteDialog, ReinviteDialog, RenewInviteDialog, RevokeInviteDialog } from './invite-dialogs';
export { RelinkDialog, ReplaceCredentialsDialog } from './sign-in-again-dialog';
export type { Way } from './ways';
