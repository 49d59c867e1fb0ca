import { Redis } from 'ioredis';

/** A client that may do everything, for what tests do behind the ports' back. */
export function adminOf(url: string): Redis {
  const client = new Redis(url);
  client.on('error', () => undefined);
  return client;
}

/** Ends the connections of buses on the database of `admin`, and no others. */
export async function cutListenersOf(admin: Redis): Promise<void> {
  const clients = String(await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).split('\n');
  for (const client of clients) {
    const [, id] = /^id=(\d+)/.exec(client) ?? [];
    if (id === undefined || !client.includes(' name=patchbay-bus ') || !client.includes(` db=${admin.options.db ?? 0} `)) continue;
    await admin.client('KILL', 'ID', id);
  }
}
