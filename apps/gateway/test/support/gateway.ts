import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GrantId, OrganisationId, Revision, ServerId, TokenId, UserId } from '@patchbay/contracts';
import { buildNameTable, type Era, LEGACY_VERSIONS } from '@patchbay/mcp-wire';
import { compileGrants } from '@patchbay/policy';
import type { SharedStore } from '@patchbay/ports';
import { createKeyring, Secret } from '@patchbay/vault';
import { makeCredentialResolver } from '../../src/credentials/resolver.ts';
import { makeDeleteSession } from '../../src/methods/delete-session.ts';
import { makeForwardNotification } from '../../src/methods/forward-notification.ts';
import { makeInitialize } from '../../src/methods/initialize.ts';
import { makeInitializeForwarded } from '../../src/methods/initialize-forwarded.ts';
import { makeAnswerEarly } from '../../src/pipeline/answer-early.ts';
import { makeAttachCredential } from '../../src/pipeline/attach-credential.ts';
import { authorize } from '../../src/pipeline/authorize.ts';
import type { CallContext, Step } from '../../src/pipeline/context.ts';
import { makeDispatch } from '../../src/pipeline/dispatch.ts';
import { makeRead } from '../../src/pipeline/read.ts';
import { route } from '../../src/pipeline/route.ts';
import { makeRun } from '../../src/pipeline/run.ts';
import { createGatewayServer } from '../../src/server.ts';
import { makeSessionOpener } from '../../src/sessions/session-opener.ts';
import { makeTombstones } from '../../src/sessions/tombstones.ts';
import type {
  CompiledCatalogue,
  CompiledEntry,
  CompiledServer,
  CompiledSnapshot,
  EntryKind,
  ExposedEntry,
} from '../../src/snapshot/compiled.ts';
import { makeInFlight } from '../../src/upstream/in-flight.ts';
import { makeNextId } from '../../src/upstream/next-id.ts';
import { makePools } from '../../src/upstream/pool.ts';
import { makeSessionRegistry } from '../../src/upstream/session-registry.ts';
import { makeStdio, type RunningStdio } from '../../src/upstream/stdio/make-stdio.ts';
import { makeResolveUpstream } from '../../src/upstream/upstreams.ts';

const ORGANISATION = OrganisationId.parse(randomUUID());
const OPENINGS = [{ cidr: '127.0.0.0/8', port: null }];

/** What a test says of a server; the gateway under test is given the catalogue as discovery would have accepted it. */
export type ServerSpec = {
  /** Where two gateways of a test must mean the same server. */
  readonly id?: string;
  readonly slug: string;
  /** null: a stdio server. */
  readonly url: string | null;
  readonly era: Era;
  readonly tools: readonly string[];
  readonly prompts?: readonly string[];
  readonly definitions?: Readonly<Record<string, string>>;
  readonly requestMs?: number;
  readonly hasCredential?: boolean;
  readonly generation?: string;
  readonly isolation?: 'session' | 'shared';
};

/** A store that several gateways of one test share, as pods share theirs. */
export function memoryStore(): SharedStore & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  const at = (organisationId: string, key: string): string => `${organisationId} ${key}`;
  return {
    values,
    get: async (organisationId, key) => values.get(at(organisationId, key)) ?? null,
    async setIfAbsent(organisationId, key, value) {
      const stands = values.get(at(organisationId, key)) ?? value;
      values.set(at(organisationId, key), stands);
      return stands;
    },
    async compareAndSet(organisationId, key, expected, value) {
      const stands = values.get(at(organisationId, key)) ?? null;
      if (stands === expected) values.set(at(organisationId, key), value);
      return stands === expected ? value : stands;
    },
    async set(organisationId, key, value) {
      values.set(at(organisationId, key), value);
    },
    async delete(organisationId, key) {
      values.delete(at(organisationId, key));
    },
  };
}

export type GatewaySpec = {
  readonly servers: readonly ServerSpec[];
  readonly store?: SharedStore;
  readonly stdioHostUrls?: readonly string[];
  /** What the control plane answers to a request for a credential. */
  readonly releaseCredential?: () => Promise<{ status: number; body: Buffer }>;
};

type Counted = { count: number; inc(): void };

function counter(): Counted {
  return {
    count: 0,
    inc() {
      this.count += 1;
    },
  };
}

export type TestGateway = {
  readonly organisationId: string;
  /** `slug` null: the aggregated endpoint. */
  url(slug: string | null): string;
  readonly outcomes: string[];
  readonly calls: CallContext[];
  readonly stdio: RunningStdio | null;
  /** What placement has counted. */
  readonly counted: { readonly moves: Counted; readonly recordsIgnored: Counted };
  close(): Promise<void>;
};

/** What the stdio hosts of a test are presented. */
export const HOST_SECRET = 'host-secret';

const KEYRING = createKeyring([Buffer.alloc(32, 7)]);
const USERS: Readonly<Record<string, UserId>> = { ada: UserId.parse(randomUUID()), bob: UserId.parse(randomUUID()) };

/** The pipeline from read to dispatch on a real listener. `Authorization: Bearer ada` or `bob` says who calls. */
export async function startGateway({
  servers,
  store = memoryStore(),
  releaseCredential,
  stdioHostUrls,
}: GatewaySpec): Promise<TestGateway> {
  const snapshot = snapshotOf(servers);
  const clock = { nowMs: () => Date.now() };
  const logger = { info: () => undefined, warn: () => undefined };
  const tombstones = makeTombstones({ store, clock });
  const sessionOpener = makeSessionOpener({ keyring: KEYRING, tombstones, clock, logger });
  const secret = new Secret(HOST_SECRET);
  const [moves, recordsIgnored] = [counter(), counter()];
  const timing = { probeEveryMs: 300, renewEveryMs: 300 };
  const urls = stdioHostUrls?.map((url) => new URL(url));
  const stdio =
    urls === undefined ? null : makeStdio({ urls, counters: { moves, recordsIgnored }, secret, store, keyring: KEYRING, logger, timing });
  const pools = makePools({ refusedAddresses: [], clock });
  const resolveUpstream = makeResolveUpstream({ pools, stdio });
  const sessions = makeSessionRegistry({ store, keyring: KEYRING, tombstones, logger });
  const credentials = makeCredentialResolver({ post: releaseCredential ?? (() => Promise.reject(new Error('no control plane'))) });
  const inFlight = makeInFlight();
  const outcomes: string[] = [];
  const calls: CallContext[] = [];
  const steps: Step[] = [
    authenticateAs(snapshot),
    makeRead({ bodyLimitBytes: 1_000_000, openSession: sessionOpener.open, trace: () => undefined }),
    route,
    authorize,
    makeAnswerEarly({
      initialize: makeInitialize(sessionOpener.mintFor),
      initializeForwarded: makeInitializeForwarded({ credentials, resolveUpstream, sessionOpener, sessions }),
      deleteSession: makeDeleteSession({ credentials, resolveUpstream, tombstones, sessions, logger }),
      forwardNotification: makeForwardNotification({ credentials, resolveUpstream, inFlight, sessions }),
    }),
    makeAttachCredential({ credentials }),
    makeDispatch({ resolveUpstream, sessions, inFlight, nextId: makeNextId() }),
  ];
  const record = (ctx: CallContext): void => {
    outcomes.push(ctx.outcome);
    calls.push(ctx);
  };
  const server = createGatewayServer(
    makeRun({
      steps,
      began: () => undefined,
      record,
      logger: { error: (...logged: unknown[]) => outcomes.push(`fault ${JSON.stringify(logged, withErrors)}`) },
    }),
  );
  const port = await listenOn(server);
  return {
    organisationId: ORGANISATION,
    url: (slug) => `http://127.0.0.1:${port}/acme/${slug === null ? '' : `${slug}/`}mcp`,
    outcomes,
    calls,
    stdio,
    counted: { moves, recordsIgnored },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await pools.close();
      await stdio?.close();
    },
  };
}

const withErrors = (_key: string, value: unknown): unknown => (value instanceof Error ? value.stack : value);

function authenticateAs(snapshot: CompiledSnapshot): Step {
  return (ctx) => {
    const user = ctx.request.headers.authorization?.slice('Bearer '.length) ?? 'ada';
    const userId = USERS[user] ?? UserId.parse(randomUUID());
    ctx.principal = {
      organisationId: ORGANISATION,
      userId,
      tokenId: TokenId.parse(randomUUID()),
      subjects: [`user:${userId}`, 'everyone'],
    };
    ctx.tokenHash = Buffer.from(user).toString('hex').padEnd(64, '0');
    ctx.snapshot = snapshot;
    ctx.organisationSlug = 'acme';
    const segments = (ctx.request.url ?? '').split('/');
    ctx.serverSlug = segments.length > 3 ? (segments[2] ?? null) : null;
    return undefined;
  };
}

function listenOn(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

function snapshotOf(specs: readonly ServerSpec[]): CompiledSnapshot {
  const servers = specs.map(serverOf);
  const names = (kind: 'tools' | 'prompts'): ReadonlyMap<string, ExposedEntry> => exposedOf(servers, kind);
  const grants = servers.map(({ id }) => ({
    id: GrantId.parse(randomUUID()),
    subject: { kind: 'everyone' as const },
    serverId: id,
    tools: { mode: 'all' as const },
  }));
  return {
    organisationId: ORGANISATION,
    organisationSlug: 'acme',
    epoch: 1,
    revision: Revision.parse(1),
    issuedAtMs: Date.now(),
    egressOpenings: OPENINGS,
    serversBySlug: new Map(servers.map((server) => [server.slug, server])),
    serversById: new Map(servers.map((server) => [server.id, server])),
    grants: compileGrants([grants]),
    exposedTools: names('tools'),
    exposedPrompts: names('prompts'),
    bareTools: new Map(),
    barePrompts: new Map(),
    listCache: new Map(),
  };
}

function exposedOf(servers: readonly CompiledServer[], kind: 'tools' | 'prompts'): ReadonlyMap<string, ExposedEntry> {
  const all = servers.flatMap((server) =>
    [...(server.catalogue?.[kind].values() ?? [])].map((entry) => ({ server, entry, serverSlug: server.slug, name: entry.name })),
  );
  return new Map([...buildNameTable(all)].map(([exposedName, { entry, server }]) => [exposedName, { entry, exposedName, server }]));
}

function serverOf({ era, slug, url, ...spec }: ServerSpec): CompiledServer {
  const entries = (kind: EntryKind, names: readonly string[]): Map<string, CompiledEntry> =>
    new Map(
      names.map((name) => [
        name,
        {
          kind,
          name,
          definition: Buffer.from(spec.definitions?.[name] ?? JSON.stringify({ name, inputSchema: { type: 'object' } })),
          contractHash: name,
        },
      ]),
    );
  const catalogue: CompiledCatalogue = {
    era,
    protocolVersion: era === 'legacy' ? LEGACY_VERSIONS[3] : '2026-07-28',
    serverInfo: { name: slug, version: '1' },
    capabilities: { tools: {}, prompts: {}, resources: {}, completions: {} },
    instructions: null,
    tools: entries('tool', spec.tools),
    prompts: entries('prompt', spec.prompts ?? []),
    resources: new Map(),
    templates: new Map(),
  };
  return {
    id: ServerId.parse(spec.id ?? randomUUID()),
    slug,
    kind: url === null ? 'stdio' : 'streamable-http',
    url: url === null ? null : new URL(url),
    timeouts: { connectMs: 500, requestMs: spec.requestMs ?? 2_000 },
    isolation: spec.isolation ?? 'session',
    generation: spec.generation ?? 'g1',
    hasCredential: spec.hasCredential ?? false,
    catalogue,
  };
}
