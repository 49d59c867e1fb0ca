import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClientKnownRequestError } from '@prisma/client/runtime/client';
import pg from 'pg';
import type { OrganisationId } from '@patchbay/contracts';
import { Prisma, PrismaClient } from '../generated/prisma/client.ts';

/** A transaction that sees one organisation's rows and no other's. */
export type Tx = Prisma.TransactionClient;

export type TransactionOptions = { readonly repeatableRead?: boolean; readonly timeoutMs?: number };

const CONNECTIONS_MAX = 8;
const WAIT_MS = 5_000;
const TIMEOUT_MS = 15_000;

/** The control plane's way to Postgres, as the role that owns nothing. */
export class Database {
  /** To be counted, not queried. */
  readonly pool: Pick<pg.Pool, 'totalCount' | 'idleCount' | 'waitingCount'>;
  readonly #prisma: PrismaClient;

  constructor(url: string) {
    const pool = new pg.Pool({
      connectionString: url,
      max: CONNECTIONS_MAX,
      idleTimeoutMillis: 10_000,
      application_name: 'patchbay control plane',
    });
    this.pool = pool;
    this.#prisma = new PrismaClient({ adapter: new PrismaPg(pool, { disposeExternalPool: true }) });
  }

  /** The one way to a tenant table. Commits when `work` resolves; nothing is written when it throws. */
  async withOrganisation<T>(
    organisationId: OrganisationId,
    work: (tx: Tx) => Promise<T>,
    { repeatableRead = false, timeoutMs = TIMEOUT_MS }: TransactionOptions = {},
  ): Promise<T> {
    return this.#prisma.$transaction(
      async (tx) => {
        await enterOrganisation(tx, organisationId);
        return work(tx);
      },
      {
        maxWait: WAIT_MS,
        timeout: timeoutMs,
        ...(repeatableRead ? { isolationLevel: Prisma.TransactionIsolationLevel.RepeatableRead } : {}),
      },
    );
  }

  /** For lookups.ts alone: functions and catalogues that need no organisation. Tenant tables show no rows here. */
  async query<Row>(sql: Prisma.Sql): Promise<Row[]> {
    return this.#prisma.$queryRaw<Row[]>(sql);
  }

  async close(): Promise<void> {
    await this.#prisma.$disconnect();
  }
}

/** From here on the transaction sees this organisation's rows and no other's. */
export async function enterOrganisation(tx: Tx, organisationId: OrganisationId): Promise<void> {
  await tx.$queryRaw`select set_config('patchbay.org', ${organisationId}, true)`;
}

/** Whether an error says that a unique key is taken. */
export function isTaken(error: unknown): boolean {
  return error instanceof PrismaClientKnownRequestError && error.code === 'P2002';
}
