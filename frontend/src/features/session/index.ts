export { AuthFrame } from './auth-frame';
export { bootstrapQuery, sessionQuery, useCan, useOperator, useSignOut } from './queries';
export { type SignInSearch, safeReturnPath, signInSearch } from './search';
export { SetupPage } from './setup-page';
export { SignInPage } from './sign-in-page';
