import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ClientProfile, type LimitsPart, type OrganisationId, type Principal, TokenId, UserId } from '@patchbay/contracts';
import { refusal } from '@patchbay/errors';
import { TrustedProxies } from '@patchbay/listening';
import type { Bus, Counters, SharedStore } from '@patchbay/ports';
import { createMetrics, type Metrics } from '@patchbay/telemetry';
import { createKeyring, Secret } from '@patchbay/vault';
import { CredentialCatalogues } from '../../src/catalogues/credential-catalogues.ts';
import { fetchCatalogue } from '../../src/catalogues/fetch-catalogue.ts';
import { makeSeeCatalogues } from '../../src/catalogues/see-catalogues.ts';
import { makeCredentialResolver } from '../../src/credentials/resolver.ts';
import { makeCounters } from '../../src/limits/counters.fixture.ts';
import { makeLimits } from '../../src/limits/make-limits.ts';
import { makeTaskIds } from '../../src/aggregate/task-ids.ts';
import { makeChangeSubscription } from '../../src/methods/change-subscription.ts';
import { makeDeleteSession } from '../../src/methods/delete-session.ts';
import { makeForwardNotification } from '../../src/methods/forward-notification.ts';
import { makeInitialize } from '../../src/methods/initialize.ts';
import { makeInitializeEither } from '../../src/methods/initialize-either.ts';
import { makeInitializeForwarded } from '../../src/methods/initialize-forwarded.ts';
import { makeListen } from '../../src/methods/listen.ts';
import { makeOpenStream } from '../../src/methods/open-stream.ts';
import { makeResumeCall } from '../../src/methods/resume-call.ts';
import { makeTakeAnswer } from '../../src/methods/take-answer.ts';
import { makeList } from '../../src/methods/list.ts';
import { LiveLists } from '../../src/methods/live-lists.ts';
import { makeListCursors } from '../../src/methods/list-cursors.ts';
import { makeSetLevel } from '../../src/methods/set-level.ts';
import { makeAnswerEarly } from '../../src/pipeline/answer-early.ts';
import { makeAttachCredential } from '../../src/pipeline/attach-credential.ts';
import { authorize } from '../../src/pipeline/authorize.ts';
import type { CallContext, Step } from '../../src/pipeline/context.ts';
import { makeDispatch } from '../../src/pipeline/dispatch.ts';
import { makeRecord } from '../../src/pipeline/record.ts';
import { makeMailboxes } from '../../src/mailbox/mailboxes.ts';
import { memoryBus, memoryStore } from '../../src/mailbox/memory-ports.fixture.ts';
import { makeRead } from '../../src/pipeline/read.ts';
import { makeRoute } from '../../src/pipeline/route.ts';
import { makeThrottle } from '../../src/pipeline/throttle.ts';
import { makeRun } from '../../src/pipeline/run.ts';
import { createGatewayServer } from '../../src/server.ts';
import { makeFactStore } from '../../src/sessions/client-facts.ts';
import { makeEndedSessions } from '../../src/sessions/ended-sessions.ts';
import { makeSessionOpener } from '../../src/sessions/session-opener.ts';
import { makeSessionStates } from '../../src/sessions/session-states.ts';
import { makeTombstones } from '../../src/sessions/tombstones.ts';
import type { CompiledSnapshot } from '../../src/snapshot/compiled.ts';
import { ClientStreams } from '../../src/streams/client-streams.ts';
import { StreamShares } from '../../src/streams/stream-shares.ts';
import { GeneralStreams } from '../../src/upstream/asking/general-streams.ts';
import { HeldStreams } from '../../src/upstream/asking/held-streams.ts';
import { makeRequestStates } from '../../src/upstream/asking/request-state.ts';
import { makeInFlight } from '../../src/upstream/in-flight.ts';
import { makeNextId } from '../../src/upstream/next-id.ts';
import { makePools } from '../../src/upstream/pool.ts';
import { makeQuestionIds } from '../../src/upstream/rounds/question-ids.ts';
import { WaitingCalls } from '../../src/upstream/rounds/waiting-calls.ts';
import { makeTransports, type Transports } from '../../src/transports/transports.ts';
import { makeSessionRegistry } from '../../src/upstream/session-registry.ts';
import { makeStdio, type RunningStdio } from '../../src/upstream/stdio/make-stdio.ts';
import { UNASKED_PER_MINUTE, UnaskedLimits, type UnaskedPerMinute } from '../../src/upstream/unasked-limits.ts';
import { makeResolveUpstream } from '../../src/upstream/upstreams.ts';
import { ORGANISATION, type ServerSpec, snapshotOf } from './snapshot.ts';

export { memoryStore };

export type GatewaySpec = {
  /** Of the clients that some users' tokens are for. */
  readonly profiles?: Readonly<Record<string, ClientProfile>>;
  /** Of the clients that the aggregated endpoint is for. */
  readonly clientProfile?: ClientProfile;
  readonly servers: readonly ServerSpec[];
  readonly store?: SharedStore;
  /** What this gateway and others of a test share, as pods do; without it each hears itself alone. */
  readonly bus?: Bus;
  readonly stdioHostUrls?: readonly string[];
  readonly limits?: LimitsPart['limits'];
  /** What each server may say without being asked. */
  readonly unaskedPerMinute?: UnaskedPerMinute;
  /** How many gateways share the bus. */
  readonly pods?: number;
  /** What this gateway and others of a test share; without it a store of its own. */
  readonly counters?: Counters;
  /** Whom authentication turns away; null: who presents no token. Without it nobody, and who presents none is `ada`. */
  readonly refuses?: (user: string | null) => boolean;
  /** What the control plane answers to a request for a credential. */
  readonly releaseCredential?: (path: string, body: string) => Promise<{ status: number; body: Buffer }>;
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
  readonly streams: ClientStreams;
  readonly waiting: WaitingCalls;
  /** What a control plane would have published. */
  publish(servers: readonly ServerSpec[]): void;
  /** Ids of servers that answered as of the other era, each time. */
  readonly doubted: readonly string[];
  /** What was one too many, each time: whose, and of which kind. */
  readonly tooMuch: readonly string[];
  /** What placement has counted. */
  readonly counted: { readonly moves: Counted; readonly recordsIgnored: Counted };
  readonly metrics: Metrics;
  readonly transports: Transports;
  close(): Promise<void>;
};

/** What the stdio hosts of a test are presented. */
export const HOST_SECRET = 'host-secret';

const BODY_LIMIT_BYTES = 1_000_000;
/** What no upstream may send people to. */
const OWN_ORIGIN = 'https://patchbay.example';

const KEYRING = createKeyring([Buffer.alloc(32, 7)]);
const USERS: Readonly<Record<string, UserId>> = { ada: UserId.parse(randomUUID()), bob: UserId.parse(randomUUID()) };

/** The pipeline from read to dispatch on a real listener. `Authorization: Bearer ada` or `bob` says who calls. */
export async function startGateway({
  servers,
  store = memoryStore(),
  bus = memoryBus(),
  releaseCredential,
  stdioHostUrls,
  ...spec
}: GatewaySpec): Promise<TestGateway> {
  let snapshot = snapshotOf(servers, spec.limits ?? [], spec.clientProfile);
  const metrics = createMetrics();
  const log = { info: () => undefined, warn: () => undefined };
  const limits = makeLimits({ counters: spec.counters ?? makeCounters(REAL_TIME), metrics, log });
  const clock = { nowMs: () => Date.now() };
  const logger = { info: () => undefined, warn: () => undefined };
  const ended = makeEndedSessions({ bus, keyring: KEYRING });
  const tombstones = makeTombstones({ store, clock, announce: ended.announce });
  const sessionOpener = makeSessionOpener({ keyring: KEYRING, tombstones, facts: makeFactStore(store, KEYRING), clock, logger });
  const secret = new Secret(HOST_SECRET);
  const [moves, recordsIgnored] = [counter(), counter()];
  const timing = { probeEveryMs: 300, renewEveryMs: 300 };
  const urls = stdioHostUrls?.map((url) => new URL(url));
  const stdio =
    urls === undefined
      ? null
      : makeStdio({ ca: null, urls, counters: { moves, recordsIgnored }, secret, store, keyring: KEYRING, clock, logger, timing });
  const pools = makePools({ refusedAddresses: [], clock });
  const doubted: string[] = [];
  const tooMuch: string[] = [];
  const unasked = new UnaskedLimits(spec.unaskedPerMinute ?? UNASKED_PER_MINUTE, (speaker, what) =>
    tooMuch.push(`${speaker.server.slug} ${what}`),
  );
  const eras = { doubt: (_organisationId: OrganisationId, { id }: { id: string }) => void doubted.push(id) };
  const resolveUpstream = makeResolveUpstream({ pools, stdio, eras, unasked });
  const states = makeSessionStates({ bus, keyring: KEYRING, store, pods: () => spec.pods ?? 1, clock, logger });
  const sessions = makeSessionRegistry({ store, keyring: KEYRING, states, tombstones, logger });
  const credentials = makeCredentialResolver({ post: releaseCredential ?? (() => Promise.reject(new Error('no control plane'))) });
  const inFlight = makeInFlight({ bus, keyring: KEYRING, clock, logger });
  const streams = new ClientStreams();
  const mailboxes = makeMailboxes({ bus, keyring: KEYRING, store, podId: randomUUID(), clock, logger });
  const onEnded = (organisationId: OrganisationId, key: string): void => {
    tombstones.learn(key);
    streams.sessionEnded(organisationId, key);
  };
  await Promise.all([mailboxes.listen(), inFlight.listen(), states.listen(), ended.listen({ onEnded, onGap: sessionOpener.forgetOpened })]);
  const waiting = new WaitingCalls();
  const rounds = { mailboxes, questionIds: makeQuestionIds(KEYRING), ownOrigin: OWN_ORIGIN, waiting };
  const held = new HeldStreams(mailboxes);
  const general = new GeneralStreams({ keyring: KEYRING, mailboxes, store });
  const asking = { held, general, states: makeRequestStates(KEYRING, clock), ownOrigin: OWN_ORIGIN };
  const initialize = makeInitialize({ sessionOpener });
  const outcomes: string[] = [];
  const calls: CallContext[] = [];
  const taskIds = makeTaskIds(KEYRING);
  const seeCatalogues = makeSeeCatalogues({
    catalogues: new CredentialCatalogues(() => performance.now()),
    fetch: (asking, server) => fetchCatalogue({ credentials, resolveUpstream, logger }, asking, server),
  });
  const steps: Step[] = [
    authenticateAs(() => snapshot, { refuses: spec.refuses ?? (() => false), profiles: spec.profiles ?? {} }),
    makeRead({ bodyLimitBytes: BODY_LIMIT_BYTES, openSession: sessionOpener.open, trace: () => undefined }),
    makeRoute({ taskIds, seeCatalogues }),
    authorize,
    makeThrottle({ limits }),
    makeAnswerEarly({
      list: makeList({ cursors: makeListCursors(KEYRING), lives: new LiveLists({ credentials, resolveUpstream, sessions }) }),
      initialize,
      initializeForwarded: makeInitializeForwarded({ credentials, resolveUpstream, sessionOpener, sessions }),
      initializeEither: makeInitializeEither({ credentials, resolveUpstream, sessionOpener, sessions, initialize }),
      deleteSession: makeDeleteSession({ credentials, resolveUpstream, tombstones, sessions, states, logger }),
      listen: makeListen({ credentials, resolveUpstream, streams, taskIds }),
      changeSubscription: makeChangeSubscription({ states }),
      setLevel: makeSetLevel({ credentials, resolveUpstream, sessions, states, logger }),
      openStream: makeOpenStream({
        unasked,
        credentials,
        resolveUpstream,
        sessions,
        states,
        snapshots: { current: () => snapshot },
        streams,
        resumeCall: makeResumeCall(rounds),
        ownOrigin: OWN_ORIGIN,
        shares: new StreamShares(),
        logger,
      }),
      forwardNotification: makeForwardNotification({
        credentials,
        resolveUpstream,
        inFlight,
        sessions,
        logger,
        takeAnswer: makeTakeAnswer(rounds),
      }),
    }),
    makeAttachCredential({ credentials }),
    makeDispatch({ taskIds, asking, resolveUpstream, sessions, inFlight, nextId: makeNextId(), rounds, states }),
  ];
  const count = (ctx: CallContext): void => {
    outcomes.push(ctx.outcome);
    calls.push(ctx);
  };
  const record = makeRecord({ calls: { began: () => undefined, count }, limits, tracing: { end: () => undefined } });
  const run = makeRun({
    steps,
    began: () => undefined,
    record,
    logger: { error: (...logged: unknown[]) => outcomes.push(`fault ${JSON.stringify(logged, withErrors)}`) },
  });
  const proxies = new TrustedProxies('');
  const transports = makeTransports({
    run,
    keyring: KEYRING,
    store,
    mailboxes,
    clock,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    logger,
    metrics,
    proxies,
  });
  const listener = { address: '127.0.0.1', isLoopback: true, certificate: null, proxies };
  const server = createGatewayServer(run, transports, { listener, log: { ...logger, error: () => undefined }, preflight: () => 'other' });
  const port = await listenOn(server);
  return {
    organisationId: ORGANISATION,
    url: (slug) => `http://127.0.0.1:${port}/acme/${slug === null ? '' : `${slug}/`}mcp`,
    outcomes,
    calls,
    stdio,
    streams,
    waiting,
    publish(published) {
      const before = snapshot;
      snapshot = snapshotOf(published, spec.limits ?? [], spec.clientProfile);
      streams.swapped(before, snapshot);
    },
    doubted,
    tooMuch,
    counted: { moves, recordsIgnored },
    metrics,
    transports,
    async close() {
      streams.close();
      held.close();
      general.close();
      await mailboxes.close();
      await transports.drain(0);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await limits.close();
      await pools.close();
      await stdio?.close();
    },
  };
}

const withErrors = (_key: string, value: unknown): unknown => (value instanceof Error ? value.stack : value);

type Users = { readonly refuses: (user: string | null) => boolean; readonly profiles: Readonly<Record<string, ClientProfile>> };

function authenticateAs(current: () => CompiledSnapshot, { profiles, refuses }: Users): Step {
  // One for each token, as the token directory keeps them.
  const principals = new Map<string, Principal>();
  return (ctx) => {
    const presented = ctx.request.headers.authorization?.slice('Bearer '.length) ?? null;
    if (refuses(presented)) return refusal('auth.invalid_token');
    const user = presented ?? 'ada';
    const clientProfile = profiles[user];
    const userId = USERS[user] ?? UserId.parse(randomUUID());
    ctx.principal = principals.get(user) ?? {
      organisationId: ORGANISATION,
      userId,
      tokenId: TokenId.parse(randomUUID()),
      subjects: [`user:${userId}`, 'everyone'],
      ...(clientProfile === undefined ? {} : { clientProfile }),
    };
    principals.set(user, ctx.principal);
    ctx.tokenHash = Buffer.from(user).toString('hex').padEnd(64, '0');
    ctx.snapshot = current();
    ctx.organisationSlug = 'acme';
    const segments = (ctx.request.url ?? '').split('/');
    ctx.serverSlug = segments.length > 3 ? (segments[2] ?? null) : null;
    return undefined;
  };
}

function listenOn(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

const REAL_TIME = {
  nowMs: () => performance.now(),
  after: (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms)),
};
