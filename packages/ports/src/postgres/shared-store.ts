import type { OrganisationId } from '@patchbay/contracts';
import type { Pool } from 'pg';
import type { Appended, SharedStore } from '../shared-store.ts';

const PURGE_EVERY_MS = 60_000;
const EXPIRY = `clock_timestamp() + $4::double precision * interval '1 millisecond'`;

/** Rows with an expiry by the database's clock, which all pods share. Expired rows are not there, and removed now and then. */
export class PostgresSharedStore implements SharedStore {
  readonly #pool: Pool;
  #purgedAt = performance.now();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async get(organisationId: OrganisationId, key: string): Promise<string | null> {
    const { rows } = await this.#pool.query<{ value: string }>({
      name: 'ports.shared.get',
      text: 'select value from ports.shared_store where organisation_id = $1 and key = $2 and expires_at > clock_timestamp()',
      values: [organisationId, key],
    });
    return rows[0]?.value ?? null;
  }

  async setIfAbsent(organisationId: OrganisationId, key: string, value: string, ttlMs: number): Promise<string> {
    // The update also where ours loses: it waits for a rival's commit and then sees the rival's value.
    const { rows } = await this.#pool.query<{ value: string }>(
      `insert into ports.shared_store as stored (organisation_id, key, value, expires_at) values ($1, $2, $3, ${EXPIRY})
       on conflict (organisation_id, key) do update set
         value = case when stored.expires_at <= clock_timestamp() then excluded.value else stored.value end,
         expires_at = case when stored.expires_at <= clock_timestamp() then excluded.expires_at else stored.expires_at end
       returning value`,
      [organisationId, key, value, ttlMs],
    );
    this.#purgeNowAndThen();
    return rows[0]?.value ?? value;
  }

  // oxlint-disable-next-line max-params -- the port's signature: two names of the fact, two values, its life
  async compareAndSet(organisationId: OrganisationId, key: string, expected: string, value: string, ttlMs: number): Promise<string | null> {
    const { rows } = await this.#pool.query<{ value: string }>(
      `update ports.shared_store as stored set
         value = case when stored.value = $5 then $3 else stored.value end,
         expires_at = case when stored.value = $5 then ${EXPIRY} else stored.expires_at end
       where organisation_id = $1 and key = $2 and expires_at > clock_timestamp()
       returning value`,
      [organisationId, key, value, ttlMs, expected],
    );
    return rows[0]?.value ?? null;
  }

  async set(organisationId: OrganisationId, key: string, value: string, ttlMs: number): Promise<void> {
    await this.#pool.query(
      `insert into ports.shared_store (organisation_id, key, value, expires_at) values ($1, $2, $3, ${EXPIRY})
       on conflict (organisation_id, key) do update set value = excluded.value, expires_at = excluded.expires_at`,
      [organisationId, key, value, ttlMs],
    );
    this.#purgeNowAndThen();
  }

  async delete(organisationId: OrganisationId, key: string): Promise<void> {
    await this.#pool.query('delete from ports.shared_store where organisation_id = $1 and key = $2', [organisationId, key]);
  }

  async append(organisationId: OrganisationId, key: string, addition: string, charactersMax: number): Promise<Appended> {
    const { rowCount } = await this.#pool.query(
      `update ports.shared_store set value = value || $3
       where organisation_id = $1 and key = $2 and expires_at > clock_timestamp() and length(value) + length($3) <= $4`,
      [organisationId, key, addition, charactersMax],
    );
    if (rowCount === 1) return 'appended';
    return (await this.get(organisationId, key)) === null ? 'absent' : 'full';
  }

  async take(organisationId: OrganisationId, key: string): Promise<string | null> {
    // Locks first: what it then reads is what the last append left.
    const { rows } = await this.#pool.query<{ value: string }>(
      `with before as (
         select organisation_id, key, value from ports.shared_store
         where organisation_id = $1 and key = $2 and expires_at > clock_timestamp() for update
       )
       update ports.shared_store as stored set value = ''
       from before where stored.organisation_id = before.organisation_id and stored.key = before.key
       returning before.value`,
      [organisationId, key],
    );
    return rows[0]?.value ?? null;
  }

  /** Nobody waits for it; when it fails the next one does the work. */
  #purgeNowAndThen(): void {
    if (performance.now() - this.#purgedAt < PURGE_EVERY_MS) return;
    this.#purgedAt = performance.now();
    this.#pool.query('delete from ports.shared_store where expires_at <= clock_timestamp()').catch(() => undefined);
  }
}
