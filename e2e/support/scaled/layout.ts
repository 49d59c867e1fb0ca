import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reservePort } from '../ports.ts';
import { Link } from './link.ts';

export const CONTROL_PLANES = ['control-plane-1', 'control-plane-2'] as const;
export const GATEWAYS = ['gateway-1', 'gateway-2', 'gateway-3'] as const;
export const STDIO_HOSTS = ['stdio-host-1', 'stdio-host-2'] as const;
export type ProgramName = (typeof CONTROL_PLANES)[number] | (typeof GATEWAYS)[number] | (typeof STDIO_HOSTS)[number];
export type StoreName = 'postgres' | 'redis';
export type MemberName = ProgramName | StoreName;

/** Where everything of one scaled platform is: folders, ports and the links between its members. */
export type Layout = {
  readonly home: string;
  /** Of the balancers: what clients know. */
  readonly public: { readonly gateway: number; readonly api: number };
  /** A program's main port: MCP, the internal listener, the stdio host's. */
  readonly ports: Readonly<Record<MemberName, number>>;
  /** A gateway's admin listener, a control plane's API. */
  readonly second: Readonly<Record<string, number>>;
  readonly links: readonly LinkBetween[];
};

/** `from: '*'`: one link for all, because everybody has to know a stdio host by the same URL. */
export type LinkBetween = { readonly from: ProgramName | '*'; readonly to: MemberName; readonly link: Link };

/** Who dials whom. */
const DIALS: readonly { readonly from: readonly LinkBetween['from'][]; readonly to: readonly MemberName[] }[] = [
  { from: CONTROL_PLANES, to: ['postgres', 'redis'] },
  { from: GATEWAYS, to: ['redis', ...CONTROL_PLANES] },
  { from: STDIO_HOSTS, to: CONTROL_PLANES },
  { from: ['*'], to: STDIO_HOSTS },
];

export async function makeLayout(): Promise<Layout> {
  const home = mkdtempSync(join(tmpdir(), 'patchbay-scaled-'));
  mkdirSync(join(home, 'keys'), { mode: 0o700 });
  mkdirSync(join(home, 'logs'));
  const programs = [...CONTROL_PLANES, ...GATEWAYS, ...STDIO_HOSTS];
  const ports = Object.fromEntries(await withPorts([...programs, 'postgres', 'redis'])) as Record<MemberName, number>;
  const second = Object.fromEntries(await withPorts([...CONTROL_PLANES, ...GATEWAYS]));
  const links: LinkBetween[] = [];
  for (const { from: froms, to: tos } of DIALS)
    for (const from of froms)
      for (const to of tos)
        links.push({ from, to, link: new Link({ name: `${from} → ${to}`, port: await reservePort(), targetPort: ports[to] }) });
  return { home, ports, second, links, public: { gateway: await reservePort(), api: await reservePort() } };
}

async function withPorts(names: readonly string[]): Promise<[string, number][]> {
  const pairs: [string, number][] = [];
  for (const name of names) pairs.push([name, await reservePort()]);
  return pairs;
}

/** The links that one dials the other by; `null` stands for anybody. */
export function linksBetween({ links }: Layout, from: ProgramName | '*' | null, to: MemberName | null): Link[] {
  const isFrom = (each: LinkBetween): boolean => from === null || each.from === from || each.from === '*';
  return links.filter((each) => isFrom(each) && (to === null || each.to === to)).map(({ link }) => link);
}

/** The port at which one finds the other: a link's. */
export function portFor(layout: Layout, from: ProgramName | '*', to: MemberName): number {
  const [link] = linksBetween(layout, from, to);
  if (link === undefined) throw new Error(`${from} does not dial ${to}`);
  return link.port;
}

/** Writes a secret as a mounted file has to be. */
export function writeSecret(layout: Layout, name: string, text: string): string {
  const path = join(layout.home, 'keys', name);
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}
