export { profileColumns, profileOf } from './client-profile.ts';
export { hashPart } from './builder.ts';
export { Changes, type Announce } from './changes.ts';
export { openingsFor } from './openings.ts';
export { record } from './outbox.repository.ts';
export { Publisher } from './publisher.ts';
export { INVALIDATIONS_MS } from './snapshot-builder.ts';
export { SnapshotModule } from './snapshot.module.ts';
export { InternalListener } from './internal-listener.ts';
