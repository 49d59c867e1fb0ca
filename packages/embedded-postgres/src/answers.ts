import pg from 'pg';
import { SUPERUSER } from './initialize.ts';

/** SQLSTATE invalid_password. */
const AUTHENTICATION_FAILED = '28P01';

/** Whether a Postgres on this port lets the superuser in. Never rejects. */
export async function answers({ port, password }: { port: number; password: string }): Promise<'yes' | 'no' | 'wrong password'> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: SUPERUSER,
    password,
    database: 'postgres',
    connectionTimeoutMillis: 2_000,
  });
  // A server that dies during the check must not end us.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return 'yes';
  } catch (error) {
    return error instanceof pg.DatabaseError && error.code === AUTHENTICATION_FAILED ? 'wrong password' : 'no';
  } finally {
    await client.end().catch(() => undefined);
  }
}
