import { createPostgresPorts, ensureRoles, migratePorts } from '@patchbay/ports';
import { testPostgres } from '@patchbay/testkit';
import pg from 'pg';
import { describeLimitsOn } from './support/describe-limits-on.ts';

describeLimitsOn('Postgres', async () => {
  const postgres = await testPostgres();
  const database = await postgres.createDatabase();
  const superuser = new pg.Client({ connectionString: postgres.superuserUrl(database) });
  await superuser.connect();
  await ensureRoles(superuser, { appPassword: 'app', portsPassword: 'ports', ownerPassword: 'owner' });
  await superuser.query(`alter database ${database} owner to patchbay_owner`);
  await superuser.query('set role patchbay_owner');
  await migratePorts(superuser);
  await superuser.end();
  const connectionString = `postgres://patchbay_ports:ports@127.0.0.1:${postgres.port}/${database}`;
  const pods = [1, 2, 3].map(() => createPostgresPorts({ connectionString }));
  return {
    pods,
    async stop() {
      await Promise.all(pods.map((each) => each.close()));
      await postgres.stop();
    },
  };
});
