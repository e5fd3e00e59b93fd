export { AddAccountDialog } from './add-account-dialog';
export { RelinkDialog, ReplaceCredentialsDialog } from './sign-in-again-dialog';
export { ALL_WAYS, type Way } from './ways';
