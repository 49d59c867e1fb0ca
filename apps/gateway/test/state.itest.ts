import pg from 'pg';
import { createPostgresPorts, ensureRoles, migratePorts, ROLES } from '@patchbay/ports';
import { testPostgres } from '@patchbay/testkit';
import { describeStateOn } from './support/describe-state-on.ts';

describeStateOn('Postgres', async () => {
  const postgres = await testPostgres();
  const database = await postgres.createDatabase();
  const superuser = new pg.Client({ connectionString: postgres.superuserUrl(database) });
  await superuser.connect();
  await ensureRoles(superuser, { appPassword: 'app', portsPassword: 'ports' });
  await migratePorts(superuser);
  const urlOf = (role: string, password: string): string => `postgres://${role}:${password}@127.0.0.1:${postgres.port}/${database}`;
  const writer = createPostgresPorts({ connectionString: urlOf(ROLES.app, 'app') });
  return {
    writer,
    gatewayPorts: () => createPostgresPorts({ connectionString: urlOf(ROLES.ports, 'ports') }),
    /** Ends every connection of the gateway's role, and lets it make none. */
    async takeAway() {
      await superuser.query(`alter role ${ROLES.ports} nologin`);
      await superuser.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [ROLES.ports]);
    },
    bringBack: () => superuser.query(`alter role ${ROLES.ports} login`),
    async stop() {
      await Promise.all([writer.close(), superuser.end()]);
      await postgres.stop();
    },
  };
});
