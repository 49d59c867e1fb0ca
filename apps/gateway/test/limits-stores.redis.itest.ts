import { createRedisPorts } from '@patchbay/ports';
import { testRedis } from '@patchbay/testkit';
import { describeLimitsOn } from './support/describe-limits-on.ts';

describeLimitsOn('Redis', async () => {
  const redis = await testRedis();
  const pods = [1, 2, 3].map(() => createRedisPorts({ url: redis.url }));
  return {
    pods,
    async stop() {
      await Promise.all(pods.map((each) => each.close()));
      await redis.stop();
    },
  };
});
