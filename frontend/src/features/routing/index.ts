export { ExplainPanel } from './explain-panel';
export { modelsQuery } from './queries';
export { affinityText, reasonText, STRATEGIES, strategyLabel } from './words';
