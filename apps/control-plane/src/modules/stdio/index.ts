export { StdioRules } from './stdio-rules.ts';
