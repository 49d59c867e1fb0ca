import { delimiter, dirname, join } from 'node:path';
import { ENV, KEY_FILES, PROGRAM_KEYS } from '@patchbay/contracts';
import { CONTROL_PLANES, GATEWAYS, type Layout, type LinkBetween, portFor, type ProgramName, STDIO_HOSTS } from './layout.ts';

export type Environment = Record<string, string>;

/** What each kind of program reads, by the variables that docs/scaling.md tells operators about. */
export function environmentOf(layout: Layout, name: ProgramName): Environment {
  if (isOneOf(CONTROL_PLANES, name)) return controlPlane(layout, name);
  return isOneOf(GATEWAYS, name) ? gateway(layout, name) : stdioHost(layout, name);
}

export function migrateEnvironment(layout: Layout): Environment {
  return { ...common(layout, 'migrate'), [ENV.ownerDatabaseUrlFile]: join(layout.home, 'keys', KEY_FILES.ownerDatabaseUrl) };
}

export function isOneOf<Name extends string>(names: readonly Name[], name: string): name is Name {
  return (names as readonly string[]).includes(name);
}

/** Hosts share a folder, as they would a volume: what a server keeps there survives its host. */
const STDIO_HOME = 'stdio-hosts';

/** Our balancers look several times a second. */
const ANNOUNCE_MS = '1500';

function common({ home }: Layout, folder: string): Environment {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: process.env['HOME'] ?? '/',
    [ENV.home]: join(home, folder),
    [ENV.exitWithParent]: '1',
  };
}

function controlPlane(layout: Layout, name: (typeof CONTROL_PLANES)[number]): Environment {
  return {
    // The example server `memory` keeps its file where its host lets it: first-start names that place.
    ...common(layout, STDIO_HOME),
    ...keyFiles(layout, {
      ...PROGRAM_KEYS.controlPlane,
      [ENV.databaseUrlFile]: storeUrlFile(name, 'postgres'),
      [ENV.redisUrlFile]: storeUrlFile(name, 'redis'),
    }),
    ...publicUrls(layout),
    [ENV.apiPort]: String(layout.second[name]),
    [ENV.internalPort]: String(layout.ports[name]),
    [ENV.drainAnnounceMs]: ANNOUNCE_MS,
    [ENV.stdioHostUrl]: stdioHostUrls(layout),
    [ENV.refusedAddresses]: refusedAddresses(layout),
    [ENV.egressAllow]: '127.0.0.1/32',
  };
}

function gateway(layout: Layout, name: (typeof GATEWAYS)[number]): Environment {
  return {
    ...common(layout, name),
    ...keyFiles(layout, {
      ...PROGRAM_KEYS.gateway,
      [ENV.redisUrlFile]: storeUrlFile(name, 'redis'),
    }),
    ...publicUrls(layout),
    [ENV.gatewayPort]: String(layout.ports[name]),
    [ENV.adminPort]: String(layout.second[name]),
    [ENV.drainAnnounceMs]: ANNOUNCE_MS,
    [ENV.controlPlaneInternalUrl]: CONTROL_PLANES.map((to) => `http://127.0.0.1:${portFor(layout, name, to)}`).join(','),
    [ENV.stdioHostUrl]: stdioHostUrls(layout),
    [ENV.refusedAddresses]: refusedAddresses(layout),
  };
}

function stdioHost(layout: Layout, name: (typeof STDIO_HOSTS)[number]): Environment {
  return {
    ...common(layout, STDIO_HOME),
    // What a server calls `node` is the Node that we run on.
    PATH: [dirname(process.execPath), process.env['PATH'] ?? '/usr/bin:/bin'].join(delimiter),
    ...keyFiles(layout, PROGRAM_KEYS.stdioHost),
    [ENV.stdioHostPort]: String(layout.ports[name]),
    [ENV.refusedAddresses]: refusedAddresses(layout),
    [ENV.controlPlaneInternalUrl]: CONTROL_PLANES.map((to) => `http://127.0.0.1:${portFor(layout, name, to)}`).join(','),
  };
}

/** A file for each program, because each has a link of its own to a store. */
export function storeUrlFile(name: ProgramName, store: 'postgres' | 'redis'): string {
  return `${name}.${store}.url`;
}

function keyFiles({ home }: Layout, files: Readonly<Record<string, string>>): Environment {
  return Object.fromEntries(Object.entries(files).map(([variable, file]) => [variable, join(home, 'keys', file)]));
}

function publicUrls(layout: Layout): Environment {
  return {
    [ENV.gatewayUrl]: `http://127.0.0.1:${layout.public.gateway}`,
    [ENV.apiUrl]: `http://127.0.0.1:${layout.public.api}`,
  };
}

function stdioHostUrls(layout: Layout): string {
  return STDIO_HOSTS.map((to) => `http://127.0.0.1:${portFor(layout, '*', to)}`).join(',');
}

/** No upstream may be one of our listeners, also not through a link. */
function refusedAddresses({ links, ports, public: { api, gateway: mcp }, second }: Layout): string {
  const linked = links.map(({ link }: LinkBetween) => link.port);
  return [...Object.values(ports), ...Object.values(second), ...linked, api, mcp].map((port) => `127.0.0.1:${port}`).join(',');
}
