export { HOSTILE_TOOLS, startHostileUpstream } from './hostile-upstream.ts';
export { startLegacyUpstream, type LegacyUpstream, type OnMark } from './legacy-upstream.ts';
export { listen, type Listening } from './listen.ts';
export { MODERN_ASKING_TOOLS, type ModernAskingUpstream, startModernAskingUpstream } from './modern-asking-upstream.ts';
export { startModernUpstream, type ModernUpstream } from './modern-upstream.ts';
export { testPostgres, type TestPostgres } from './postgres.ts';
export { plainRedis, testRedis, type TestRedis } from './redis.ts';
export { testRedisServer, type TestRedisServer, type TestRedisServerOptions } from './redis-server.ts';
export { testRedisSentinel, type TestRedisSentinel } from './redis-sentinel.ts';
