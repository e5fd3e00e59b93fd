export { JobsPage } from './jobs-page';
export { jobsQuery, workersQuery } from './queries';
export { type JobsSearch, jobFilters, jobsSearch } from './search';
