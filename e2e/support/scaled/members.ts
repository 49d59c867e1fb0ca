import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { testRedisServer, type TestRedisServer } from '@patchbay/testkit';
import { environmentOf, isOneOf, type Environment } from './environment.ts';
import { CONTROL_PLANES, GATEWAYS, type Layout, linksBetween, type MemberName, type ProgramName } from './layout.ts';
import { Program } from './program.ts';
import { PostgresServer } from './stores.ts';

/** Anything of the platform that can die, hang and come back. */
export type Member = {
  readonly name: MemberName;
  /** Resolves when it serves. `root`: of a program, the checkout whose build runs from now on. */
  start(options?: { withoutData?: boolean; root?: string }): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM for programs (the exit code when it is gone); stores are killed. */
  terminate(): Promise<number | null>;
  pause(): void;
  resume(): void;
};

const SCRIPTS = { 'control-plane': 'apps/control-plane', gateway: 'apps/gateway', 'stdio-host': 'apps/stdio-host' } as const;

export type ProgramMember = Member & { readonly program: Program };

export function programMember(layout: Layout, name: ProgramName, env: Environment): ProgramMember {
  const kind = name.replace(/-\d$/, '') as keyof typeof SCRIPTS;
  const towards = linksBetween(layout, null, name);
  const own = environmentOf(layout, name);
  mkdirSync(own['PATCHBAY_HOME'] ?? '', { recursive: true });
  const program = new Program({
    name,
    script: `${SCRIPTS[kind]}/dist/main.js`,
    env: { ...own, ...env },
    readyUrl: readyUrlOf(layout, name),
    logFile: join(layout.home, 'logs', `${name}.log`),
    onExit: () => towards.forEach((link) => link.refuseNew()),
  });
  return {
    name,
    program,
    async start(options) {
      await program.start(options?.root);
      // Not before: until somebody listens behind them, connections are refused.
      await Promise.all(towards.map((link) => link.open()));
    },
    async kill() {
      // As the kernel does it: from the moment of death connections are refused, not accepted and dropped.
      for (const link of towards) link.refuseNew();
      await program.end('SIGKILL');
    },
    terminate() {
      // It stops to listen at once, while what is under way ends.
      for (const link of towards) link.refuseNew();
      return program.end('SIGTERM');
    },
    pause: () => program.pause(),
    resume: () => program.resume(),
  };
}

/** Where a program says that it can be used. */
export function readyUrlOf({ ports, second }: Layout, name: ProgramName): string {
  if (isOneOf(GATEWAYS, name)) return `http://127.0.0.1:${second[name]}/readyz`;
  if (isOneOf(CONTROL_PLANES, name)) return `http://127.0.0.1:${ports[name]}/readyz`;
  return `http://127.0.0.1:${ports[name]}/livez`;
}

export function postgresMember(layout: Layout): Member & { readonly server: PostgresServer } {
  const server = new PostgresServer(layout.home, layout.ports.postgres);
  const towards = linksBetween(layout, null, 'postgres');
  const kill = async (): Promise<void> => {
    for (const link of towards) link.refuseNew();
    await server.kill();
  };
  return {
    name: 'postgres',
    server,
    async start() {
      await server.start();
      await Promise.all(towards.map((link) => link.open()));
    },
    kill,
    terminate: async () => kill().then(() => null),
    pause: () => server.pause(),
    resume: () => server.resume(),
  };
}

/** Keeps an append-only file, as a deployment that wants its data back does. */
export async function redisMember(layout: Layout): Promise<Member & { readonly server: TestRedisServer }> {
  const settings = { appendfsync: ['always'] };
  const server = await testRedisServer({ port: layout.ports.redis, persistent: true, settings });
  const towards = linksBetween(layout, null, 'redis');
  let isRunning = true;
  const kill = async (): Promise<void> => {
    for (const link of towards) link.refuseNew();
    await server.kill();
    isRunning = false;
  };
  return {
    name: 'redis',
    server,
    async start(options) {
      if (!isRunning) await server.start(options);
      isRunning = true;
      await Promise.all(towards.map((link) => link.open()));
    },
    kill,
    terminate: async () => kill().then(() => null),
    pause: () => server.pause(),
    resume: () => server.resume(),
  };
}
