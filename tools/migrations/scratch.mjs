import { ensureRoles } from '@patchbay/ports';
import { testPostgres } from '@patchbay/testkit';
import pg from 'pg';
import { applyMigrations } from '../../apps/control-plane/src/prisma/apply-migrations.ts';
import { Problem } from './problem.mjs';

const PASSWORDS = { appPassword: 'app', portsPassword: 'ports', ownerPassword: 'owner' };

async function asSuperuser(url, work) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Runs `work(url)` on a database of a temporary server that holds what the folder's migrations make, applied as a start applies them. */
export async function withMigratedDatabase({ folder }, work) {
  const server = await testPostgres();
  try {
    await asSuperuser(server.superuserUrl('postgres'), (client) => ensureRoles(client, PASSWORDS));
    const url = server.superuserUrl(await server.createDatabase());
    await asSuperuser(url, (client) =>
      applyMigrations(client, folder).catch((error) => {
        throw new Problem(error.message, { cause: error });
      }),
    );
    return await work(url);
  } finally {
    await server.stop();
  }
}
