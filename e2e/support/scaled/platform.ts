import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BootstrapFile } from '@patchbay/contracts';
import type { TestRedisServer } from '@patchbay/testkit';
import { Api } from '../api.ts';
import { callModern } from '../raw.ts';
import { dumpPostgres, secretsIn } from '../stored.ts';
import type { TestPlatform } from '../test-platform.ts';
import { until } from '../until.ts';
import { startBalancer, type Balancer, type BalancerOptions } from './balancer.ts';
import { dumpRedis } from './dump-redis.ts';
import { CONTROL_PLANES, GATEWAYS, type Layout, makeLayout, type MemberName, STDIO_HOSTS } from './layout.ts';
import { type Member, postgresMember, type ProgramMember, programMember, readyUrlOf, redisMember } from './members.ts';
import { firstStart, makeKeys, prepareDatabase, writeRedisUrls } from './prepare.ts';
import type { PostgresServer } from './stores.ts';

export type ScaledOptions = {
  /** Told which gateway each MCP request goes to. */
  readonly onSent?: BalancerOptions['onSent'];
};

/**
 * Two control planes, three gateways, two stdio hosts on a Postgres and a Redis, each program reaching each other through a link of its
 * own; clients come through plain round-robin balancers that look at readiness. Every member can be killed, paused and started again.
 */
export class ScaledPlatform implements TestPlatform {
  readonly layout: Layout;
  readonly members: ReadonlyMap<MemberName, Member>;
  readonly facts: BootstrapFile;
  readonly redis: TestRedisServer;
  readonly #postgres: PostgresServer;
  readonly #balancers: readonly Balancer[];
  readonly #programs: readonly ProgramMember[];

  private constructor(parts: {
    layout: Layout;
    members: ReadonlyMap<MemberName, Member>;
    facts: BootstrapFile;
    redis: TestRedisServer;
    postgres: PostgresServer;
    balancers: readonly Balancer[];
    programs: readonly ProgramMember[];
  }) {
    this.layout = parts.layout;
    this.members = parts.members;
    this.facts = parts.facts;
    this.redis = parts.redis;
    this.#postgres = parts.postgres;
    this.#balancers = parts.balancers;
    this.#programs = parts.programs;
  }

  /** `env` is for every program; each takes what applies to it. */
  static async start(env: Record<string, string> = {}, { onSent }: ScaledOptions = {}): Promise<ScaledPlatform> {
    const layout = await makeLayout();
    const undo: (() => Promise<unknown>)[] = [];
    try {
      makeKeys(layout);
      const postgres = postgresMember(layout);
      undo.push(() => postgres.server.stop());
      const [redis] = await Promise.all([redisMember(layout), postgres.start()]);
      undo.push(() => redis.server.stop());
      await redis.start();
      writeRedisUrls(layout, redis.server.password);
      await prepareDatabase(layout, (database) => postgres.server.superuserUrl(database));
      const programs = [...CONTROL_PLANES, ...STDIO_HOSTS, ...GATEWAYS].map((name) => programMember(layout, name, env));
      undo.push(() => Promise.all(programs.map(({ program }) => program.end('SIGKILL'))));
      const balancers = await startBalancers(layout, onSent);
      undo.push(() => Promise.all(balancers.map((balancer) => balancer.close())));
      const [made] = await Promise.all([firstStart(layout, env), ...programs.map((program) => program.start())]);
      const gatewayUrl = `http://127.0.0.1:${layout.public.gateway}`;
      const apiUrl = `http://127.0.0.1:${layout.public.api}`;
      const facts = { apiUrl, gatewayUrl, mcpUrl: `${gatewayUrl}/${made.org}/mcp`, ...made };
      const members = new Map([postgres, redis, ...programs].map((member) => [member.name, member] as const));
      const platform = new ScaledPlatform({ layout, members, facts, redis: redis.server, postgres: postgres.server, balancers, programs });
      await platform.#examplesServed();
      return platform;
    } catch (error) {
      const logs = logsOf(layout);
      for (const step of undo.reverse()) await step().catch(() => undefined);
      rmSync(layout.home, { recursive: true, force: true });
      throw new Error(`the scaled platform did not start\n${logs}`, { cause: error });
    }
  }

  get home(): string {
    return this.layout.home;
  }

  get gatewayUrl(): string {
    return this.facts.gatewayUrl;
  }

  get api(): Api {
    return new Api(this.facts.apiUrl, this.facts.org, this.facts.apiToken);
  }

  get adminUrls(): string[] {
    return GATEWAYS.map((name) => `http://127.0.0.1:${this.layout.second[name]}`);
  }

  get folders(): TestPlatform['folders'] {
    return { gateways: GATEWAYS.map((name) => join(this.home, name)), logs: join(this.home, 'logs') };
  }

  mcpUrl(server?: string, organisation = this.facts.org): string {
    return `${this.gatewayUrl}${pathOf(server, organisation)}`;
  }

  endpoints(server?: string, organisation = this.facts.org): string[] {
    return GATEWAYS.map((name) => `http://127.0.0.1:${this.layout.ports[name]}${pathOf(server, organisation)}`);
  }

  async register(slug: string, url: string, more: Record<string, unknown> = {}): Promise<void> {
    await this.api.register(slug, url, more);
    await this.served(slug);
  }

  async dump(): Promise<unknown[]> {
    const [rows, values] = await Promise.all([dumpPostgres(this.#postgres.superuserUrl('patchbay')), dumpRedis(this.redis.url)]);
    return [...rows, ...values];
  }

  secrets(): Record<string, string> {
    return secretsIn(join(this.home, 'keys'));
  }

  printed(): Record<string, string> {
    return {};
  }

  member(name: MemberName): Member {
    return this.members.get(name)!;
  }

  /** The programs that do not say they are ready. */
  async notReady(): Promise<string[]> {
    const programs = await Promise.all(
      this.#programs.map(async ({ name, program }) => ((await program.isReady()) ? [] : [`${name} is not ready`])),
    );
    return programs.flat();
  }

  /** SIGTERM for the programs, then the stores; resolves when no process is left. */
  async dispose(): Promise<void> {
    await Promise.all(this.#balancers.map((balancer) => balancer.close()));
    for (const member of this.members.values()) member.resume();
    const programs = [...GATEWAYS, ...STDIO_HOSTS, ...CONTROL_PLANES].map((name) => this.member(name));
    await Promise.all(programs.map((program) => program.terminate()));
    await Promise.all([this.#postgres.stop(), this.redis.stop()]);
    for (const { link } of this.layout.links) link.cut();
    rmSync(this.home, { recursive: true, force: true });
  }

  /** The last lines that each program wrote. */
  logs(): string {
    return logsOf(this.layout);
  }

  async #examplesServed(): Promise<void> {
    for (const slug of ['everything', 'memory']) {
      await this.api.discovered(slug);
      await this.served(slug);
    }
  }

  /** Resolves when every gateway lists the server's tools. */
  async served(slug: string): Promise<void> {
    const list = async (url: string): Promise<boolean> => (await callModern(url, this.facts.token, 'tools/list')).json.result !== undefined;
    await Promise.all(this.endpoints(slug).map((url) => until(() => list(url), { what: `${slug} at ${url}` })));
  }
}

function pathOf(server: string | undefined, organisation: string): string {
  return server === undefined ? `/${organisation}/mcp` : `/${organisation}/${server}/mcp`;
}

function startBalancers(layout: Layout, onSent: BalancerOptions['onSent']): Promise<Balancer[]> {
  const { public: ports, second } = layout;
  return Promise.all([
    startBalancer({
      port: ports.gateway,
      backends: GATEWAYS.map((name) => ({ name, port: layout.ports[name], readyUrl: readyUrlOf(layout, name) })),
      ...(onSent === undefined ? {} : { onSent }),
    }),
    startBalancer({
      port: ports.api,
      backends: CONTROL_PLANES.map((name) => ({ name, port: second[name] ?? 0, readyUrl: readyUrlOf(layout, name) })),
    }),
  ]);
}

const LOG_TAIL = 3_000;

function logsOf({ home }: Layout): string {
  const folder = join(home, 'logs');
  return readdirSync(folder)
    .map((name) => `--- ${name}\n${readFileSync(join(folder, name), 'utf8').slice(-LOG_TAIL)}`)
    .join('\n');
}
