import type { OrganisationId } from '@patchbay/contracts';

/** Small shared facts among pods, with expiry: upstream session records, tombstones, mailboxes. Lost on a crash of the store. */
export interface SharedStore {
  get(organisationId: OrganisationId, key: string): Promise<string | null>;
  /** The value that stands afterwards: ours if there was none (or it had expired), else the one that was first. */
  setIfAbsent(organisationId: OrganisationId, key: string, value: string, ttlMs: number): Promise<string>;
  /** Replaces `expected` with `value`; the value that stands afterwards (null: nothing stands and nothing was written). */
  compareAndSet(organisationId: OrganisationId, key: string, expected: string, value: string, ttlMs: number): Promise<string | null>;
  set(organisationId: OrganisationId, key: string, value: string, ttlMs: number): Promise<void>;
  delete(organisationId: OrganisationId, key: string): Promise<void>;
  /** Adds to the end of a text that stands and keeps its expiry, unless it would be longer than `charactersMax`. Appends never overwrite each other. */
  append(organisationId: OrganisationId, key: string, addition: string, charactersMax: number): Promise<Appended>;
  /** The text, which is empty afterwards and keeps its expiry: each addition is taken once. Null: nothing stands. */
  take(organisationId: OrganisationId, key: string): Promise<string | null>;
}

export type Appended = 'appended' | 'absent' | 'full';
