import { defineConfig } from 'vitest/config';

const resolve = { conditions: ['patchbay-source'] };
const ssr = { resolve: { conditions: ['patchbay-source'] } };

/** unit: pure and fast, beside the source. integration: real Postgres and real processes, per app. e2e: the whole platform. */
export default defineConfig({
  test: {
    projects: [
      { resolve, ssr, test: { name: 'unit', include: ['{apps,packages}/*/src/**/*.test.ts', 'scripts/**/*.test.mjs'] } },
      { resolve, ssr, test: { name: 'integration', include: ['{apps,packages}/*/test/**/*.itest.ts'], testTimeout: 60_000, hookTimeout: 60_000 } },
      { resolve, ssr, test: { name: 'e2e', include: ['e2e/**/*.e2e.ts'], testTimeout: 120_000, hookTimeout: 180_000, fileParallelism: false } },
    ],
  },
});
