import type { OrganisationId } from '@patchbay/contracts';
import type { Pool } from 'pg';
import { distinctWindows, type Counters, type Lease, type LimitWindow, type SlotsHeld } from '../counters.ts';

const PURGE_EVERY_MS = 60_000;

/** Rows of `ports.counter_slices` and `ports.counter_slots`, touched only by the functions of `counters-schema.ts`, one call a statement. */
export class PostgresCounters implements Counters {
  readonly #pool: Pool;
  #purgedAt = performance.now();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async take(
    organisationId: OrganisationId,
    counter: string,
    request: { windows: readonly LimitWindow[]; wanted: number },
  ): Promise<Lease> {
    const windows = distinctWindows(request.windows);
    const { rows } = await this.#pool.query<Record<'granted' | 'charged_at_ms' | 'retry_after_ms', string>>({
      name: 'ports.take',
      text: 'select * from ports.take_permits($1, $2, $3, $4, $5)',
      values: [organisationId, counter, windows.map(({ windowMs }) => windowMs), windows.map(({ max }) => max), request.wanted],
    });
    this.#purgeNowAndThen();
    return {
      granted: Number(rows[0]?.granted ?? 0),
      chargedAtMs: Number(rows[0]?.charged_at_ms ?? 0),
      retryAfterMs: Number(rows[0]?.retry_after_ms ?? 0),
    };
  }

  async giveBack(
    organisationId: OrganisationId,
    counter: string,
    unspent: { windows: readonly LimitWindow[]; permits: number; chargedAtMs: number },
  ): Promise<void> {
    const windows = distinctWindows(unspent.windows).map(({ windowMs }) => windowMs);
    await this.#pool.query('select ports.give_back_permits($1, $2, $3, $4, $5)', [
      organisationId,
      counter,
      windows,
      unspent.permits,
      unspent.chargedAtMs,
    ]);
  }

  async hold(
    organisationId: OrganisationId,
    counter: string,
    { holder, max, wanted, ttlMs }: { holder: string; max: number; wanted: number; ttlMs: number },
  ): Promise<SlotsHeld> {
    const { rows } = await this.#pool.query<Record<'held' | 'in_use', string>>({
      name: 'ports.hold',
      text: 'select * from ports.hold_slots($1, $2, $3, $4, $5, $6)',
      values: [organisationId, counter, holder, max, wanted, ttlMs],
    });
    this.#purgeNowAndThen();
    return { held: Number(rows[0]?.held ?? 0), inUse: Number(rows[0]?.in_use ?? 0) };
  }

  /** Nobody waits for it; when it fails the next one does the work. */
  #purgeNowAndThen(): void {
    if (performance.now() - this.#purgedAt < PURGE_EVERY_MS) return;
    this.#purgedAt = performance.now();
    for (const [table, column] of [
      ['counter_slices', 'leaves_at'],
      ['counter_slots', 'expires_at'],
    ]) {
      this.#pool.query(`delete from ports.${table} where ${column} <= clock_timestamp()`).catch(() => undefined);
    }
  }
}
