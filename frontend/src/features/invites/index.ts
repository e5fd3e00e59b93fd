export { InvitesPage } from './invites-page';
export { invitesQuery } from './queries';
export { type InvitesSearch, inviteFilters, invitesSearch } from './search';
