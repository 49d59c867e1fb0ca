import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_FILES, STDIO_HOST, StdioHostStatus } from '@patchbay/contracts';
import { CONTROL_PLANES, GATEWAYS, linksBetween, type MemberName, STDIO_HOSTS } from '../support/scaled/layout.ts';
import type { Link } from '../support/scaled/link.ts';
import type { ScaledPlatform } from '../support/scaled/platform.ts';
import type { Attacker } from './attacker.ts';
import type { Phase } from './model.ts';

/** How long things take in a form of the run. */
export type Times = { readonly downMs: number; readonly pauseMs: number; readonly linkMs: number; readonly attackMs: number };

export type Done = Pick<Phase, 'beganAtMs' | 'mendedAtMs'> & { readonly lostUntilMs?: number; readonly problems?: readonly string[] };

export type Fault = Pick<Phase, 'name' | 'kind' | 'limitFactor'> & {
  /** In the short form too. */
  readonly isShort: boolean;
  /** Decided when it begins: which host holds the stdio server is known then. */
  readonly victims: (platform: ScaledPlatform) => Promise<Pick<Phase, 'victims' | 'servers'>>;
  /** Does it, holds it for its time, and mends it: what was killed is started, what stands still goes on. */
  readonly run: (platform: ScaledPlatform, times: Times, attacker: Attacker) => Promise<Done>;
};

/** Limits are exact within this while the store counts; without it a gateway admits by itself at most the whole limit. */
const EXACT = 1.05;
const EACH_GATEWAY_BY_ITSELF = GATEWAYS.length;

/** Everything that is done to the platform, in order. */
export function faults(times: Times): Fault[] {
  const seconds = times.pauseMs / 1_000;
  return [
    ...[...GATEWAYS, ...CONTROL_PLANES].map((name) => kill(name)),
    kill('stdio-host'),
    kill('postgres'),
    kill('redis', { name: 'kill -9 redis, back with its data', limitFactor: EACH_GATEWAY_BY_ITSELF }),
    kill('redis', { name: 'kill -9 redis, back without its data', limitFactor: EACH_GATEWAY_BY_ITSELF, withoutData: true }),
    ...GATEWAYS.map((name, k) => pause(name, seconds, { isShort: k === 1 })),
    ...CONTROL_PLANES.map((name, k) => pause(name, seconds, { isShort: k === 1 })),
    pause('stdio-host', seconds),
    pause('postgres', seconds),
    pause('redis', seconds, { limitFactor: EACH_GATEWAY_BY_ITSELF }),
    link('gateway-1 cut off from redis', { limitFactor: EACH_GATEWAY_BY_ITSELF }, [['gateway-1', 'redis']], 'cut'),
    link(
      'all gateways cut off from all control planes',
      {},
      GATEWAYS.flatMap((g) => CONTROL_PLANES.map((c) => [g, c] as const)),
      'silence',
    ),
    link('control-plane-1 cut off from postgres', {}, [['control-plane-1', 'postgres']], 'cut'),
    link('control-plane-2 hears nothing from postgres', { isShort: false }, [['control-plane-2', 'postgres']], 'silence'),
    link(
      'gateway-2 hears nothing from redis',
      { isShort: false, limitFactor: EACH_GATEWAY_BY_ITSELF },
      [['gateway-2', 'redis']],
      'silence',
    ),
    link('every way to redis 150 ms slower each way', { limitFactor: EACH_GATEWAY_BY_ITSELF }, everyWayTo('redis'), 'delay'),
    link('every way to postgres 50 ms slower each way', { isShort: false }, everyWayTo('postgres'), 'delay'),
    attack(),
    rollingRestart(),
  ];
}

type KillOptions = { name?: string; limitFactor?: number; withoutData?: boolean };

function kill(
  victim: MemberName | 'stdio-host',
  { limitFactor = EXACT, name = `kill -9 ${victim}`, withoutData = false }: KillOptions = {},
): Fault {
  return {
    name,
    kind: 'kill',
    limitFactor,
    isShort: true,
    victims: (platform) => victimsOf(platform, victim),
    async run(platform, { downMs }) {
      const { victims } = await victimsOf(platform, victim);
      const member = platform.member(victims[0]!);
      const killed = member.kill();
      const beganAtMs = Date.now();
      await killed;
      const lostUntilMs = Date.now();
      await sleep(downMs);
      await member.start({ withoutData });
      return { beganAtMs, lostUntilMs, mendedAtMs: Date.now() };
    },
  };
}

function pause(
  victim: MemberName | 'stdio-host',
  seconds: number,
  { isShort = true, limitFactor = EXACT }: { isShort?: boolean; limitFactor?: number } = {},
): Fault {
  return {
    name: `SIGSTOP of ${victim} for ${seconds} s`,
    kind: 'pause',
    limitFactor,
    isShort,
    victims: (platform) => victimsOf(platform, victim),
    async run(platform, { pauseMs }) {
      const { victims } = await victimsOf(platform, victim);
      const member = platform.member(victims[0]!);
      const beganAtMs = Date.now();
      member.pause();
      await sleep(pauseMs);
      member.resume();
      return { beganAtMs, mendedAtMs: Date.now() };
    },
  };
}

type Way = readonly [from: Parameters<typeof linksBetween>[1], to: MemberName];

function link(
  name: string,
  { isShort = true, limitFactor = EXACT }: { isShort?: boolean; limitFactor?: number },
  ways: readonly Way[],
  how: 'cut' | 'silence' | 'delay',
): Fault {
  return {
    name,
    kind: 'link',
    limitFactor,
    isShort,
    victims: async () => ({ victims: [], servers: [] }),
    async run(platform, { linkMs }) {
      const links = ways.flatMap(([from, to]) => linksBetween(platform.layout, from, to));
      const beganAtMs = Date.now();
      await Promise.all(links.map((each) => disturb(each, how, ways)));
      await sleep(linkMs);
      for (const each of links) each.shape({});
      await Promise.all(links.map((each) => each.open()));
      return { beganAtMs, mendedAtMs: Date.now() };
    },
  };
}

async function disturb(each: Link, how: 'cut' | 'silence' | 'delay', ways: readonly Way[]): Promise<void> {
  if (how === 'cut') each.cut();
  else if (how === 'silence') await each.silence();
  else each.shape({ delayMs: ways.some(([, to]) => to === 'redis') ? 150 : 50 });
}

function everyWayTo(to: MemberName): Way[] {
  return [[null, to]];
}

function attack(): Fault {
  return {
    name: 'an attacker who may write to redis',
    kind: 'attack',
    limitFactor: EACH_GATEWAY_BY_ITSELF,
    isShort: true,
    victims: async () => ({ victims: [], servers: [] }),
    async run(_platform, { attackMs }, attacker) {
      const beganAtMs = Date.now();
      const { acts } = await attacker.run(attackMs);
      const idle = Object.values(acts).reduce((sum, count) => sum + count, 0) < attackMs / 200;
      return { beganAtMs, mendedAtMs: Date.now(), problems: idle ? ['the attacker could hardly do anything, which proves nothing'] : [] };
    },
  };
}

function rollingRestart(): Fault {
  return {
    name: 'rolling restart of every program (SIGTERM)',
    kind: 'rolling restart',
    limitFactor: EXACT,
    isShort: true,
    victims: async () => ({ victims: [], servers: [] }),
    async run(platform) {
      const beganAtMs = Date.now();
      const problems: string[] = [];
      for (const name of [...GATEWAYS, ...CONTROL_PLANES, ...STDIO_HOSTS]) {
        const member = platform.member(name);
        const code = await member.terminate();
        if (code !== 0) problems.push(`${name} ended with ${code}`);
        await member.start();
      }
      return { beganAtMs, mendedAtMs: Date.now(), problems };
    },
  };
}

/** A gateway takes its own calls with it; a stdio host those of the servers that it holds; nobody else any. */
async function victimsOf(platform: ScaledPlatform, victim: MemberName | 'stdio-host'): Promise<Pick<Phase, 'victims' | 'servers'>> {
  if (victim !== 'stdio-host') return { victims: [victim], servers: [] };
  for (const name of STDIO_HOSTS) if (await holds(platform, name, 'notes')) return { victims: [name], servers: ['notes'] };
  throw new Error('no stdio host holds the stdio server');
}

async function holds(platform: ScaledPlatform, name: (typeof STDIO_HOSTS)[number], slug: string): Promise<boolean> {
  const secret = readFileSync(join(platform.home, 'keys', KEY_FILES.toStdioHostSecret), 'utf8').trim();
  const url = `http://127.0.0.1:${platform.layout.ports[name]}${STDIO_HOST.statusPath}`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${secret}` } });
  return StdioHostStatus.parse(await answer.json()).processes.some((process) => process.slug === slug);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
