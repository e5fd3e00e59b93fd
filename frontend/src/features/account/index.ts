export { AccountPage } from './account-page';
export { cockpitQuery, savedResetsQuery } from './queries';
export { type AccountSearch, accountSearch } from './search';
