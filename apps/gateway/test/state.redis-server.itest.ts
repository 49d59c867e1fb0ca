import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createRedisPorts } from '@patchbay/ports';
import { plainRedis, testRedisServer } from '@patchbay/testkit';
import { describeStateOn } from './support/describe-state-on.ts';

const USERS = readFileSync(resolve(import.meta.dirname, '../../../deploy/redis/users.acl'), 'utf8');

describeStateOn('Redis', async () => {
  const [, rules = ''] = /^user patchbay-gateway (.*)$/m.exec(USERS) ?? [];
  const server = await testRedisServer({ persistent: true, settings: { appendfsync: ['always'] } });
  const asGateway = `redis://patchbay-gateway:secret@127.0.0.1:${server.port}/0`;
  async function allowGateway(): Promise<void> {
    const admin = plainRedis(server.url);
    await admin.call('ACL', 'SETUSER', 'patchbay-gateway', ...rules.split(' '), '>secret');
    admin.disconnect();
  }
  await allowGateway();
  const writer = createRedisPorts({ url: server.url });
  return {
    writer,
    gatewayPorts: () => createRedisPorts({ url: asGateway }),
    /** By SIGKILL. */
    takeAway: () => server.kill(),
    async bringBack() {
      await server.start();
      await allowGateway();
    },
    async stop() {
      await writer.close();
      await server.stop();
    },
  };
});
