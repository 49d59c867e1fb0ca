import { createPostgresPorts, createRedisPorts, ensureRoles, migratePorts, type Ports } from '@patchbay/ports';
import { testPostgres, testRedis } from '@patchbay/testkit';
import pg from 'pg';

/** The ports of several pods, each with connections of its own. */
export type PodPorts = { pods: Ports[]; stop(): Promise<void> };

const PODS = [1, 2, 3];

/** On a real Postgres, as gateways reach it: the role of the ports and no other. */
export async function openPostgresPorts(): Promise<PodPorts> {
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
  return opened(
    PODS.map(() => createPostgresPorts({ connectionString })),
    () => postgres.stop(),
  );
}

export async function openRedisPorts(): Promise<PodPorts> {
  const redis = await testRedis();
  return opened(
    PODS.map(() => createRedisPorts({ url: redis.url })),
    () => redis.stop(),
  );
}

function opened(pods: Ports[], stopStore: () => Promise<void>): PodPorts {
  return {
    pods,
    async stop() {
      await Promise.all(pods.map((each) => each.close()));
      await stopStore();
    },
  };
}
