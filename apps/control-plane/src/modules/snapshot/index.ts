export { hashPart } from './builder.ts';
export { Changes, record, type Announce } from './changes.ts';
export { openingsFor } from './openings.ts';
export { Publisher } from './publisher.ts';
export { INVALIDATIONS_MS } from './revision-publisher.ts';
export { SnapshotModule } from './snapshot.module.ts';
export { InternalListener } from './internal-listener.ts';
