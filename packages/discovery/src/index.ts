export { catalogueEntries, encodeCataloguePart, needsIn, readCatalogueHeader } from './catalogue-part.ts';
export { contractKey, type KnownNeeds } from './conditional.ts';
export { Conversation, noMessage } from './conversation.ts';
export { discover, openLegacy, type Discovered, type LegacyBy } from './discover.ts';
export { DiscoveryFailed, wordsFor } from './failed.ts';
export { LIMITS } from './limits.ts';
export type { Transport } from './transport.ts';
