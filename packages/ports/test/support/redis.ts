import type { Redis } from 'ioredis';

export { plainRedis as adminOf } from '@patchbay/testkit';

/** Ends the connections of buses on the database of `admin`, and no others. */
export async function cutListenersOf(admin: Redis): Promise<void> {
  const clients = String(await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).split('\n');
  for (const client of clients) {
    const [, id] = /^id=(\d+)/.exec(client) ?? [];
    if (id === undefined || !client.includes(' name=patchbay-bus ') || !client.includes(` db=${admin.options.db ?? 0} `)) continue;
    await admin.client('KILL', 'ID', id);
  }
}
