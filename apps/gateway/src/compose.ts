import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { isReadable, PODS, PROTOCOL_HEADER, VERSION, type PodId } from '@patchbay/contracts';
import { createInternalFleet, type InternalFetch, type InternalFleet, readAll } from '@patchbay/egress';
import { makeHostCheck } from '@patchbay/listening';
import { createPorts, type Ports, watchErrors } from '@patchbay/ports';
import { createProgramMetrics, isDraining, type Logger, type Metrics } from '@patchbay/telemetry';
import { messageKey } from '@patchbay/vault';
import { addressesOf, loopbackHosts, makeClientSessions, makeSteps } from './compose-steps.ts';
import { CredentialCatalogues } from './catalogues/credential-catalogues.ts';
import type { Config } from './config.ts';
import { type CredentialResolver, type InternalPost, makeCredentialResolver } from './credentials/resolver.ts';
import { type ControlPlane, internalGetOver, makeControlPlane } from './directory/control-plane.ts';
import { HangGuard } from './directory/hang-guard.ts';
import { type Handshake, makeHandshake, ownSideOf } from './directory/handshake.ts';
import { makeLimits } from './limits/make-limits.ts';
import { createAdminServer } from './ops/admin-server.ts';
import { whyNotReady } from './ops/why-not-ready.ts';
import { makeCallMetrics } from './ops/call-metrics.ts';
import { registerPodMetrics } from './ops/pod-metrics.ts';
import { makePlacementCounters, registerStdioHosts } from './ops/stdio-metrics.ts';
import { makeUnaskedLimits } from './ops/unasked-metrics.ts';
import { startTracing } from './ops/tracing.ts';
import { makePreflight } from './pipeline/cross-origin.ts';
import { makeRecord } from './pipeline/record.ts';
import { makeRun } from './pipeline/run.ts';
import { createGatewayServer, type GatewayServerDeps } from './server.ts';
import type { ChangeListener } from './snapshot/changes.ts';
import { DISK } from './snapshot/files.ts';
import { makeState, type State } from './snapshot/make-state.ts';
import { makeVerifier } from './snapshot/verify.ts';
import { ClientStreams } from './streams/client-streams.ts';
import { makeIsAdmitted } from './streams/is-admitted.ts';
import { makeTransports } from './transports/transports.ts';
import { makeEraDoubts } from './upstream/era-doubts.ts';
import { makePools } from './upstream/pool.ts';
import { makeStdio, type MakeStdioDeps, type RunningStdio } from './upstream/stdio/make-stdio.ts';
import { makeResolveUpstream } from './upstream/upstreams.ts';

/** A gateway that is wired but does not listen yet. */
export type Gateway = {
  readonly calls: Server;
  readonly admin: Server;
  /** Of this start: what control planes call it. */
  readonly podId: PodId;
  readonly state: State;
  readonly handshake: Handshake;
  /** Hears the other programs and takes what is needed to serve. */
  start(): Promise<void>;
  /** Ends the streams and connections that clients hold open, and takes no new ones: they come back to another pod. */
  endStreams(): void;
  /** Ends the calls that wait for their clients: the pod stops before these can answer. */
  endWaiting(): void;
  /** Closes what outlives a call, after the listeners have drained. */
  close(): Promise<void>;
};

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const INTERNAL_LIMITS = { timeoutMs: 5_000, maxBytes: 64 * 1024 * 1024 };

/** The only place that builds long-lived objects of the gateway. Dials nothing. */
export async function compose(config: Config, logger: Logger): Promise<Gateway> {
  const metrics = createProgramMetrics({ program: 'gateway', version: VERSION });
  const ports = openPorts(config, logger, metrics);
  const internal = openInternal(config);
  const handshake = makeHandshake({ fleet: internal, own: ownSideOf(config), log: logger });
  const post = postOver(internal);
  const [credentials, catalogues] = [makeCredentialResolver({ post }), new CredentialCatalogues(clock.monotonicMs)];
  const [stores, controlPlane] = [new HangGuard(clock), new HangGuard(clock)];
  const store = stores.over(ports.sharedStore);
  const [podId, streams] = [randomUUID() as PodId, new ClientStreams()];
  const guarded = guardedControlPlane(controlPlane, internal);
  const state = openState(config, { catalogues, controlPlane: guarded, credentials, logger, podId, ports, stores, streams });
  const pools = makePools({ refusedAddresses: [...config.refusedAddresses], clock });
  const stdio = toStdioHosts(config, { logger, store, clock }, metrics);
  const unasked = makeUnaskedLimits(metrics);
  const resolveUpstream = makeResolveUpstream({ pools, stdio, unasked, eras: makeEraDoubts({ post, logger, clock }) });
  const tracing = await startTracing({ enabled: config.tracing, serviceName: 'patchbay-gateway' });
  const recorder = makeCallMetrics(metrics);
  const limits = makeLimits({ counters: ports.counters, metrics, log: logger });
  const sessions = makeClientSessions(config, { bus: ports.bus, logger, podId, pods: limits.pods, store, streams });
  const watched = { limits, logger, tracing, unasked };
  const steps = makeSteps({ ...watched, catalogues, config, credentials, resolveUpstream, sessions, state, store, streams });
  const run = makeRun({ steps, began: recorder.began, record: makeRecord({ calls: recorder, limits, tracing }), logger });
  const { bodyLimitBytes, sessionSealingKeys: keyring } = config;
  const { proxies } = config.listeners.public;
  const { mailboxes } = sessions;
  const transports = makeTransports({ run, keyring, bodyLimitBytes, mailboxes, store, clock, logger, metrics, proxies });
  const calls = createGatewayServer(run, transports, doorOf(config, { log: logger, snapshots: state.snapshots }));
  registerPodMetrics(metrics, {
    state,
    bus: ports.bus,
    handshake,
    isDraining: () => isDraining(calls),
    streamsOpen: () => streams.count(),
    guards: { stores, control_plane: controlPlane },
    stalenessBudgetMs: config.stalenessBudgetMs,
    clock,
  });
  return {
    calls,
    podId,
    admin: makeAdmin(config, { calls, log: logger, metrics, state }),
    state,
    handshake,
    endStreams() {
      streams.close();
      void transports.drain(config.drainMs);
    },
    endWaiting: () => sessions.waiting.endAll(),
    start: () => sessions.listen().then(() => state.start()),
    async close() {
      handshake.stop();
      sessions.held.close();
      sessions.general.close();
      await Promise.all([state.stop(), limits.close(), sessions.mailboxes.close()]);
      await Promise.all([pools.close(), stdio.close(), internal.close(), ports.close(), tracing.stop()]);
    },
  };
}

type OpenStateDeps = {
  readonly catalogues: CredentialCatalogues;
  readonly controlPlane: ControlPlane;
  readonly credentials: CredentialResolver;
  readonly streams: ClientStreams;
  readonly logger: Logger;
  readonly podId: PodId;
  readonly ports: Ports;
  readonly stores: HangGuard;
};

function openState(config: Config, { catalogues, controlPlane, credentials, logger, podId, ports, stores, streams }: OpenStateDeps): State {
  const state = makeState({
    ports: { bus: ports.bus, parts: stores.over(ports.parts), directory: stores.over(ports.directory) },
    controlPlane,
    verifier: makeVerifier(config.snapshotPublicKeys),
    sealingKeys: config.sessionSealingKeys,
    folder: config.folder,
    files: DISK,
    stalenessBudgetMs: config.stalenessBudgetMs,
    pod: { id: podId, key: messageKey(config.gatewaySecret, PODS.keyPurpose) },
    clock,
    log: logger,
    listeners: [forgetCredentials(credentials), forgetCredentials(catalogues), streams],
    swapped: (before, after) => streams.swapped(before, after),
  });
  streams.watch(makeIsAdmitted({ snapshots: state.snapshots, tokens: state.tokens, clock }));
  return state;
}

/** What is judged of a request before any step. */
function doorOf(config: Config, { log, snapshots }: { log: Logger; snapshots: State['snapshots'] }): GatewayServerDeps {
  const preflight = makePreflight({ isForUs: addressesOf(config).isForUs, snapshots });
  return { listener: config.listeners.public, log, preflight };
}

type AdminDeps = { readonly calls: Server; readonly log: Logger; readonly metrics: Metrics; readonly state: State };

function makeAdmin({ adminPort, listeners: { private: listener } }: Config, { calls, log, metrics, state }: AdminDeps): Server {
  const loopback = loopbackHosts(adminPort);
  return createAdminServer({
    metrics,
    notReady: () => whyNotReady({ calls, notReadyBecause: state.status().notReadyBecause }),
    listener,
    isOwnHost: makeHostCheck(listener, (host) => loopback.has(host)),
    log,
  });
}

/** Control planes, any of which will do; what one of a version that is not ours says counts as no answer. */
function openInternal({ controlPlaneInternalUrls: baseUrls, gatewaySecret: bearer, internalCa: ca }: Config): InternalFleet {
  return createInternalFleet({
    ...INTERNAL_LIMITS,
    baseUrls,
    bearer,
    ca,
    understands: ({ headers }) => isReadable(headers[PROTOCOL_HEADER]),
  });
}

function toStdioHosts(
  { internalCa: ca, sessionSealingKeys: keyring, stdioHostUrls: urls, toStdioHostSecret: secret }: Config,
  shared: Pick<MakeStdioDeps, 'clock' | 'logger' | 'store'>,
  metrics: Metrics,
): RunningStdio {
  const stdio = makeStdio({ ...shared, ca, keyring, urls, secret, counters: makePlacementCounters(metrics) });
  registerStdioHosts(metrics, stdio.hosts);
  return stdio;
}

/** The stores, with what fails counted beneath the guards: what they turn away was not asked. */
function openPorts(config: Config, logger: Logger, metrics: Metrics): Ports {
  const failures = metrics.counter({
    name: 'patchbay_gateway_store_errors_total',
    help: 'Calls to the stores that failed, by port.',
    labels: ['port'],
  });
  const ports = createPorts({
    redisUrl: config.redisUrl?.reveal() ?? null,
    postgresUrl: config.portsDatabaseUrl?.reveal() ?? null,
    onError: (error) => logger.warn({ err: error }, 'a port failed'),
  });
  return watchErrors(ports, (port) => {
    const series = failures.labels({ port });
    return () => series.inc();
  });
}

function guardedControlPlane(guard: HangGuard, internal: InternalFetch): ControlPlane {
  const [get, post] = [internalGetOver(internal), postOver(internal)];
  return makeControlPlane({
    get: (path, limits) => guard.run(() => get(path, limits)),
    send: (path, body, limits) => guard.run(async () => (await post(path, JSON.stringify(body), limits)).status),
  });
}

function postOver(internal: InternalFetch): InternalPost {
  return async (path, body, limits) => {
    const answer = await internal.request(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body }, limits);
    return { status: answer.status, body: await readAll(answer.body) };
  };
}

/** A released credential, and what a server offers it, is forgotten when its server's changes, or when changes may have been missed. */
function forgetCredentials(credentials: Pick<CredentialResolver, 'drop' | 'dropAll'>): ChangeListener {
  return {
    invalidated(organisationId, invalidations) {
      for (const invalidation of invalidations)
        if (invalidation.kind === 'credential') credentials.drop(organisationId, invalidation.serverId);
    },
    missed(organisationId) {
      credentials.dropAll(organisationId);
    },
  };
}
