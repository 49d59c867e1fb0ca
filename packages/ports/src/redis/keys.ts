import type { OrganisationId, PartHash, TokenHash } from '@patchbay/contracts';
import type { Topic } from '../bus.ts';

// The organisation is each key's hash tag: Redis Cluster keeps all of one organisation on one node, where a script may touch several.
// deploy/redis/users.acl says who may do what with them.

export const manifestKey = (organisationId: OrganisationId): string => `patchbay:{${organisationId}}:manifest`;
export const partKey = (organisationId: OrganisationId, hash: PartHash): string => `patchbay:{${organisationId}}:part:${hash}`;
/** Sorted set of the parts' hashes by when they were last stored or found, in milliseconds of the server's clock. */
export const partsKey = (organisationId: OrganisationId): string => `patchbay:{${organisationId}}:parts`;
export const directoryKey = (organisationId: OrganisationId): string => `patchbay:{${organisationId}}:directory`;
export const tokenKey = (organisationId: OrganisationId, hash: TokenHash): string => `patchbay:{${organisationId}}:token:${hash}`;
export const sharedKey = (organisationId: OrganisationId, key: string): string => `patchbay:{${organisationId}}:shared:${key}`;
export const slicesKey = (organisationId: OrganisationId, counter: string, windowMs: number): string =>
  `patchbay:{${organisationId}}:slices:${windowMs}:${counter}`;
export const slotsKey = (organisationId: OrganisationId, counter: string): string => `patchbay:{${organisationId}}:slots:${counter}`;
/** The one key that is asked for before the organisation is known. */
export const slugKey = (slug: string): string => `patchbay:slug:{${slug}}`;

/** Channels do not belong to a database of Redis: its number keeps apart what lies in two of them. */
export const channel = (database: number, topic: Topic): string => `patchbay:bus:${database}:${topic}`;
