import { Injectable } from '@nestjs/common';
import type { OrganisationId } from '@patchbay/contracts';
import { Lookups, type Position } from '../../prisma/index.ts';
import { Platform } from '../../platform.ts';
import { RevisionPublisher } from './revision-publisher.ts';
import { StoreCheck } from './store-check.ts';

/** Finds what a killed process committed and did not publish. */
const POLL_MS = 3_000;
/** Each holds a connection while it publishes. */
const AT_ONCE_MAX = 3;

type Work = { again: boolean };

/** Publishes organisations as they change: at once when told by a commit, and within seconds whatever happened. */
@Injectable()
export class Publisher {
  readonly #working = new Map<OrganisationId, Work>();
  readonly #waiting: OrganisationId[] = [];
  readonly #running = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  /** Whose turn it is to be looked at closely. */
  #turn = 0;

  constructor(
    private readonly revisions: RevisionPublisher,
    private readonly lookups: Lookups,
    private readonly platform: Platform,
    private readonly check: StoreCheck,
  ) {}

  /**
   * Publishes soon, and never throws. Several kicks while one publish runs become one more publish. `urgent`: there are tokens, users or
   * credentials to be forgotten.
   */
  kick(organisationId: OrganisationId, { urgent = true }: { urgent?: boolean } = {}): void {
    if (this.#stopped) return;
    // Beside whatever compiles at present: a revocation waits for nobody.
    if (urgent) this.#track(this.revisions.announceUrgent(organisationId), organisationId);
    this.#enqueue(organisationId);
  }

  /** Makes a new organisation known to pods. Resolves once its slug is found; never throws, for the poll finds it too. */
  async introduce(organisation: Pick<Position, 'organisationId' | 'slug'>): Promise<void> {
    try {
      await this.revisions.restoreDirectory(organisation);
    } catch (error) {
      this.platform.logger.error(
        { err: error, organisationId: organisation.organisationId },
        'a new organisation is not in the directory yet',
      );
    }
    this.kick(organisation.organisationId);
  }

  /** Publishes every organisation, then keeps looking. Resolves when all stand in the stores. */
  async start(): Promise<void> {
    const positions = await this.lookups.positions();
    await this.#publishAll(positions);
    this.platform.meters.found(positions, []);
    this.#schedule();
  }

  /** Resolves when nothing is being published any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#waiting.length = 0;
    await this.idle();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#poll()
        .catch((error: unknown) => this.platform.logger.error({ err: error }, 'looking for unpublished changes failed'))
        .finally(() => this.#schedule());
    }, POLL_MS);
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    const positions = await this.lookups.positions();
    const backlog = await this.lookups.unpublished();
    this.platform.meters.found(positions, backlog);
    for (const { organisationId } of backlog) this.#enqueue(organisationId);
    const known = new Set(backlog.map(({ organisationId }) => organisationId));
    const published = positions.filter(({ organisationId }) => !known.has(organisationId));
    // Last, so that whatever was published before it was looked for is there, unless it was lost.
    await this.#publishAll(await this.#lost(published));
    await this.#lookClosely(published);
  }

  /** At one organisation each time: whoever can write to the stores can make them stand where they should with anything in them. */
  async #lookClosely(published: readonly Position[]): Promise<void> {
    this.#turn = (this.#turn + 1) % Math.max(1, published.length);
    const position = published[this.#turn];
    if (position === undefined || (await this.check.isGenuine(position))) return;
    const { organisationId } = position;
    this.platform.logger.warn({ organisationId }, 'the stores hold what we did not sign; it is published again');
    await this.#publishAll([position]);
    await this.check.isGenuine(position);
  }

  /**
   * Of what was published, what the stores no longer have, or have otherwise: a crash of Postgres empties its unlogged tables, Redis may come back empty,
   * and a replica that took over may lack the last moments.
   */
  async #lost(published: readonly Position[]): Promise<Position[]> {
    const stored = await this.platform.stores.parts.getPositions(published.map(({ organisationId }) => organisationId));
    return published.filter(({ organisationId, epoch, revision }) => {
      const at = stored.get(organisationId);
      return at?.epoch !== epoch || at.revision !== revision;
    });
  }

  async #publishAll(positions: readonly Position[]): Promise<void> {
    for (const position of positions) {
      if (this.#stopped) return;
      try {
        await this.revisions.restoreDirectory(position);
        await this.revisions.publish(position.organisationId, { again: true });
      } catch (error) {
        // One organisation's trouble is not another's; the poll comes back to it.
        this.platform.logger.error({ err: error, organisationId: position.organisationId }, 'publishing failed');
      }
    }
  }

  #enqueue(organisationId: OrganisationId): void {
    const work = this.#working.get(organisationId);
    if (work !== undefined) work.again = true;
    else if (!this.#waiting.includes(organisationId)) this.#waiting.push(organisationId);
    this.#next();
  }

  #next(): void {
    if (this.#stopped || this.#working.size >= AT_ONCE_MAX) return;
    const organisationId = this.#waiting.shift();
    if (organisationId === undefined) return;
    this.#working.set(organisationId, { again: false });
    this.#track(this.#work(organisationId), organisationId);
    this.#next();
  }

  async #work(organisationId: OrganisationId): Promise<void> {
    try {
      await this.revisions.publish(organisationId);
    } finally {
      const again = this.#working.get(organisationId)?.again === true;
      this.#working.delete(organisationId);
      if (again && !this.#stopped) this.#waiting.push(organisationId);
      this.#next();
    }
  }

  #track(work: Promise<void>, organisationId: OrganisationId): void {
    const tracked = work
      .catch((error: unknown) => this.platform.logger.error({ err: error, organisationId }, 'publishing failed; it is tried again'))
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }
}
