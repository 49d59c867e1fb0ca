import { join, resolve } from 'node:path';

/** The repository's (or image's) root. */
const ROOT = resolve(import.meta.dirname, '../../..');

/** What we start and read, by absolute path. */
export const INSTALLATION = {
  programs: {
    controlPlane: join(ROOT, 'apps/control-plane/dist/main.js'),
    migrate: join(ROOT, 'apps/control-plane/dist/migrate.js'),
    firstStart: join(ROOT, 'apps/control-plane/dist/first-start.js'),
    gateway: join(ROOT, 'apps/gateway/dist/main.js'),
    stdioHost: join(ROOT, 'apps/stdio-host/dist/main.js'),
    cli: join(import.meta.dirname, 'main.js'),
    firstCall: join(import.meta.dirname, 'first-call.js'),
  },
  migrations: join(ROOT, 'prisma/migrations'),
  lockfile: join(ROOT, 'pnpm-lock.yaml'),
  /** Entries of the example servers, our own pinned dependencies: by the link, which stays when an update brings another version. */
  examples: () => ({
    everything: join(ROOT, 'apps/cli/node_modules/@modelcontextprotocol/server-everything/dist/index.js'),
    memory: join(ROOT, 'apps/cli/node_modules/@modelcontextprotocol/server-memory/dist/index.js'),
  }),
} as const;
