import { setTimeout as sleep } from 'node:timers/promises';
import type { OrganisationId, ServerId } from '@patchbay/contracts';
import { LRUCache } from 'lru-cache';
import { credentialReference } from '../credentials/resolver.ts';
import type { CompiledCatalogue, CompiledServer } from '../snapshot/compiled.ts';

/** What a server offers one credential. `bytes`: of its definitions. */
export type FetchedCatalogue = { readonly catalogue: CompiledCatalogue; readonly bytes: number };

/** Asks the server with the credential; null when it could not be had. Must not throw. */
export type FetchCatalogue = () => Promise<FetchedCatalogue | null>;

type Kept = FetchedCatalogue & { readonly organisationId: OrganisationId; readonly askedAtMs: number };

const CATALOGUES_MAX = 5_000;
/** Of definitions, on one pod: in all, and of one organisation (security.md §15). */
const BYTES_MAX = 128 * 1024 * 1024;
const BYTES_OF_ORGANISATION_MAX = 32 * 1024 * 1024;
/** However many callers miss something, the server is asked no more often with one credential. */
const ASKED_EVERY_MS = 500;
/** For so long a server that could not be asked is not asked again. */
const FAILED_FOR_MS = 5_000;

/**
 * What servers offer each credential, as this pod last heard it: under organisation, server, credential and generation, so that no other
 * credential, and nobody of another organisation, is ever shown it. Forgets what was used longest ago when it is too much.
 */
export class CredentialCatalogues {
  readonly #nowMs: () => number;
  readonly #kept: LRUCache<string, Kept>;
  readonly #bytesOf = new Map<OrganisationId, number>();
  readonly #flights = new Map<string, Promise<void>>();
  readonly #failedAtMs = new LRUCache<string, number>({ max: CATALOGUES_MAX });
  /** Raised by every drop, so that an answer asked for before it is not kept. */
  #drops = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#kept = new LRUCache({
      max: CATALOGUES_MAX,
      maxSize: BYTES_MAX,
      sizeCalculation: ({ bytes }) => bytes + 1,
      dispose: ({ bytes, organisationId }) => this.#count(organisationId, -bytes),
    });
  }

  known(organisationId: OrganisationId, server: CompiledServer): CompiledCatalogue | undefined {
    return this.#kept.get(keyOf(organisationId, server))?.catalogue;
  }

  /** Whether what is known was asked for within this time. */
  isRecent(organisationId: OrganisationId, server: CompiledServer, maxAgeMs: number): boolean {
    return this.#isSince(keyOf(organisationId, server), this.#nowMs() - maxAgeMs);
  }

  /** Resolves when what is known was asked for no longer ago than that, or could not be had lately. One flight for all who wait. */
  async ensure(organisationId: OrganisationId, server: CompiledServer, { fetch, maxAgeMs }: Ensuring): Promise<void> {
    const key = keyOf(organisationId, server);
    const sinceMs = this.#nowMs() - maxAgeMs;
    while (!this.#isSince(key, sinceMs) && !this.#hasFailed(key)) {
      const running = this.#flights.get(key);
      if (running !== undefined) {
        await running;
        continue;
      }
      const flight = this.#ask(key, organisationId, fetch).finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
      await flight;
    }
  }

  /** Forgets what a server offers, whichever credential it was asked with, also what is on its way. */
  drop(organisationId: OrganisationId, serverId: ServerId): void {
    this.#dropWhere(`${organisationId} ${serverId} `);
  }

  /** Forgets all of an organisation: changes to it may have been missed. */
  dropAll(organisationId: OrganisationId): void {
    this.#dropWhere(`${organisationId} `);
  }

  #dropWhere(prefix: string): void {
    this.#drops += 1;
    for (const key of this.#kept.keys()) if (key.startsWith(prefix)) this.#kept.delete(key);
  }

  async #ask(key: string, organisationId: OrganisationId, fetch: FetchCatalogue): Promise<void> {
    const waitMs = (this.#kept.peek(key)?.askedAtMs ?? Number.NEGATIVE_INFINITY) + ASKED_EVERY_MS - this.#nowMs();
    if (waitMs > 0) await sleep(waitMs, undefined, { ref: false });
    const [askedAtMs, drops] = [this.#nowMs(), this.#drops];
    const fetched = await fetch();
    if (fetched === null) this.#failedAtMs.set(key, this.#nowMs());
    else if (drops === this.#drops) this.#keep(key, { ...fetched, organisationId, askedAtMs });
  }

  #keep(key: string, kept: Kept): void {
    const { bytes, organisationId } = kept;
    this.#failedAtMs.delete(key);
    this.#count(organisationId, bytes);
    this.#kept.set(key, kept);
    for (const oldest of this.#kept.rkeys()) {
      if ((this.#bytesOf.get(organisationId) ?? 0) <= BYTES_OF_ORGANISATION_MAX) break;
      if (oldest !== key && oldest.startsWith(`${organisationId} `)) this.#kept.delete(oldest);
    }
  }

  #count(organisationId: OrganisationId, bytes: number): void {
    const counted = (this.#bytesOf.get(organisationId) ?? 0) + bytes;
    if (counted > 0) this.#bytesOf.set(organisationId, counted);
    else this.#bytesOf.delete(organisationId);
  }

  #isSince(key: string, sinceMs: number): boolean {
    return (this.#kept.peek(key)?.askedAtMs ?? Number.NEGATIVE_INFINITY) >= sinceMs;
  }

  #hasFailed(key: string): boolean {
    return this.#nowMs() - (this.#failedAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < FAILED_FOR_MS;
  }
}

export type Ensuring = { readonly fetch: FetchCatalogue; readonly maxAgeMs: number };

function keyOf(organisationId: OrganisationId, server: CompiledServer): string {
  const { generation, id } = credentialReference(server);
  return `${organisationId} ${server.id} ${id} ${generation}`;
}
