import { delimiter, dirname, join } from 'node:path';
import { ENV, GATEWAY_WORKERS_MAX, KEY_FILES, PROGRAM_KEYS } from '@patchbay/contracts/environment';
import { integer, readEnv } from '@patchbay/telemetry/config';
import type { PublicPorts } from './config.ts';
import type { Home } from './home.ts';
import type { InternalPorts } from './ports.ts';

export type Environment = Readonly<Record<string, string>>;

/** One run's places and ports, from which each program's environment follows. */
export type Layout = {
  readonly home: Home;
  readonly ports: PublicPorts & InternalPorts & { readonly postgres: number };
  readonly masterKeyFile: string | null;
  /** Our own environment: each program gets what applies to it, and nothing else. */
  readonly given: Readonly<Record<string, string | undefined>>;
};

/** What a program needs of its surroundings whatever it does. */
const EVERYWHERE = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_EXTRA_CA_CERTS', 'SystemRoot', ENV.logLevel];

const STDIO_LIMITS = [
  ...[ENV.stdioProcessesMax, ENV.stdioIdleMs, ENV.stdioLifetimeMs, ENV.stdioStartMs],
  ...[ENV.stdioMemoryMb, ENV.stdioDiskMb, ENV.stdioTasksMax, ENV.stdioOpenFilesMax, ENV.stdioCpuPercent],
];

/** Where the listeners are. */
export const urlsOf = ({ ports }: Pick<Layout, 'ports'>) => ({
  api: `http://127.0.0.1:${ports.api}`,
  gateway: `http://127.0.0.1:${ports.gateway}`,
  admin: `http://127.0.0.1:${ports.admin}`,
  internal: `http://127.0.0.1:${ports.internal}`,
  stdioHost: `http://127.0.0.1:${ports.stdioHost}`,
});

/** The migrate program alone learns the owner's password. */
export function migrateEnvironment(layout: Layout): Environment {
  return { ...basics(layout), ...keyFiles(layout, { [ENV.ownerDatabaseUrlFile]: KEY_FILES.ownerDatabaseUrl }) };
}

export function controlPlaneEnvironment(layout: Layout): Environment {
  const urls = urlsOf(layout);
  return {
    ...basics(layout),
    ...pass(layout, [...telemetry(layout), ENV.stdio, ENV.egressAllow, ENV.discoveryEveryMs]),
    ...keyFiles(layout, {
      [ENV.databaseUrlFile]: KEY_FILES.databaseUrl,
      ...PROGRAM_KEYS.controlPlane,
    }),
    ...(layout.masterKeyFile === null ? {} : { [ENV.masterKeyFile]: layout.masterKeyFile }),
    [ENV.apiPort]: String(layout.ports.api),
    [ENV.internalPort]: String(layout.ports.internal),
    // There is one of each and nobody who would balance.
    [ENV.drainAnnounceMs]: '0',
    [ENV.apiUrl]: urls.api,
    [ENV.gatewayUrl]: urls.gateway,
    [ENV.stdioHostUrl]: urls.stdioHost,
    [ENV.refusedAddresses]: refusedAddresses(layout),
  };
}

/** As the control plane, which it is a part of; with the entries of the example servers. */
export function firstStartEnvironment(layout: Layout, examples: { everything: string; memory: string }): Environment {
  return {
    ...controlPlaneEnvironment(layout),
    [ENV.exampleEverything]: examples.everything,
    [ENV.exampleMemory]: examples.memory,
  };
}

export function gatewayEnvironment(layout: Layout): Environment {
  const urls = urlsOf(layout);
  return {
    ...basics(layout),
    // Within what the supervisor waits for a program to stop.
    [ENV.drainMs]: '8000',
    [ENV.drainAnnounceMs]: '0',
    ...pass(layout, [ENV.bodyLimitBytes, ENV.gatewayWorkers, ENV.stalenessBudgetMs, ...telemetry(layout)]),
    ...keyFiles(layout, {
      [ENV.portsDatabaseUrlFile]: KEY_FILES.portsDatabaseUrl,
      ...PROGRAM_KEYS.gateway,
    }),
    [ENV.gatewayPort]: String(layout.ports.gateway),
    [ENV.adminPort]: String(layout.ports.admin),
    [ENV.controlPlaneInternalUrl]: urls.internal,
    [ENV.stdioHostUrl]: urls.stdioHost,
    [ENV.refusedAddresses]: refusedAddresses(layout),
  };
}

export function stdioHostEnvironment(layout: Layout): Environment {
  return {
    ...basics(layout),
    // What servers are given is composed by the host: none of this is theirs.
    ...pass(layout, [...STDIO_LIMITS, ...telemetry(layout)]),
    // What a server calls `node` is the Node that we bring.
    PATH: [dirname(process.execPath), layout.given['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'].join(delimiter),
    ...keyFiles(layout, PROGRAM_KEYS.stdioHost),
    [ENV.stdioHostPort]: String(layout.ports.stdioHost),
    [ENV.refusedAddresses]: refusedAddresses(layout),
    [ENV.controlPlaneInternalUrl]: urlsOf(layout).internal,
  };
}

/** For programs that are handed everything else another way. */
export function bareEnvironment(layout: Pick<Layout, 'given'>): Environment {
  return pass(layout, EVERYWHERE);
}

function basics(layout: Layout): Environment {
  return { ...bareEnvironment(layout), [ENV.home]: layout.home.root, [ENV.exitWithParent]: '1' };
}

function pass({ given }: Pick<Layout, 'given'>, names: readonly string[]): Environment {
  return Object.fromEntries(names.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])));
}

/** Where spans go, and how many of them. */
function telemetry({ given }: Layout): string[] {
  return Object.keys(given).filter((name) => name.startsWith('OTEL_'));
}

function keyFiles({ home }: Layout, files: Readonly<Record<string, string>>): Environment {
  return Object.fromEntries(Object.entries(files).map(([variable, file]) => [variable, join(home.keys, file)]));
}

/** No upstream may be one of our own listeners. */
function refusedAddresses({ given, ports }: Layout): string {
  const { workers } = readEnv({ workers: integer(ENV.gatewayWorkers, { min: 1, max: GATEWAY_WORKERS_MAX }, 1) }, given);
  const admin = Array.from({ length: workers }, (_, index) => ports.admin + index);
  return [...new Set([...Object.values(ports), ...admin])].map((port) => `127.0.0.1:${port}`).join(',');
}
