export { catalog, type CatalogRow, type ErrorCode, type Owner } from './catalog.ts';
export { Fault, refusal, sayOf, type Refusal } from './fault.ts';
