export { mayStartUnconfined, StdioRules } from './stdio-rules.ts';
