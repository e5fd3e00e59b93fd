export { OnboardingPage } from './onboarding-page';
export { inviteQuery } from './queries';
