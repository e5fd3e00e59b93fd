export { GettingStarted, setUpSteps } from './getting-started';
