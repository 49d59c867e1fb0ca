import type { OrganisationId, PodId } from '@patchbay/contracts';
import { makeHostCheck } from '@patchbay/listening';
import type { Ports, SharedStore } from '@patchbay/ports';
import type { Logger } from '@patchbay/telemetry';
import type { CredentialCatalogues } from './catalogues/credential-catalogues.ts';
import { fetchCatalogue, type FetchCatalogueDeps } from './catalogues/fetch-catalogue.ts';
import { makeSeeCatalogues, type SeeCatalogues } from './catalogues/see-catalogues.ts';
import type { Config } from './config.ts';
import type { CredentialResolver } from './credentials/resolver.ts';
import type { Limits } from './limits/make-limits.ts';
import { type Mailboxes, makeMailboxes } from './mailbox/mailboxes.ts';
import { makeTaskIds } from './aggregate/task-ids.ts';
import { makeChangeSubscription } from './methods/change-subscription.ts';
import { makeDeleteSession } from './methods/delete-session.ts';
import { makeForwardNotification } from './methods/forward-notification.ts';
import { makeInitialize } from './methods/initialize.ts';
import { makeInitializeEither } from './methods/initialize-either.ts';
import { makeInitializeForwarded } from './methods/initialize-forwarded.ts';
import { makeList } from './methods/list.ts';
import { LiveLists } from './methods/live-lists.ts';
import { makeListCursors } from './methods/list-cursors.ts';
import { makeListen } from './methods/listen.ts';
import { makeOpenStream } from './methods/open-stream.ts';
import { makeSetLevel, type SetLevelDeps } from './methods/set-level.ts';
import { makeTakeAnswer } from './methods/take-answer.ts';
import { makeResumeCall } from './methods/resume-call.ts';
import type { Tracing } from './ops/tracing.ts';
import type { AnswerEarlyDeps } from './pipeline/answer-early.ts';
import type { AuthenticateDeps } from './pipeline/authenticate.ts';
import { makePipeline } from './pipeline/index.ts';
import { makeFactStore } from './sessions/client-facts.ts';
import { makeEndedSessions } from './sessions/ended-sessions.ts';
import type { ReceiveDeps } from './pipeline/receive.ts';
import { makeSessionOpener, type SessionOpener } from './sessions/session-opener.ts';
import { makeSessionStates, type SessionStates } from './sessions/session-states.ts';
import { makeTombstones, type Tombstones } from './sessions/tombstones.ts';
import type { State } from './snapshot/make-state.ts';
import type { ClientStreams } from './streams/client-streams.ts';
import { StreamShares } from './streams/stream-shares.ts';
import { GeneralStreams } from './upstream/asking/general-streams.ts';
import { HeldStreams } from './upstream/asking/held-streams.ts';
import { makeRequestStates } from './upstream/asking/request-state.ts';
import { type InFlight, makeInFlight } from './upstream/in-flight.ts';
import { makeNextId } from './upstream/next-id.ts';
import { makeQuestionIds } from './upstream/rounds/question-ids.ts';
import { WaitingCalls } from './upstream/rounds/waiting-calls.ts';
import type { UnaskedLimits } from './upstream/unasked-limits.ts';
import { makeSessionRegistry } from './upstream/session-registry.ts';
import type { ResolveUpstream } from './upstream/upstreams.ts';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** Who has a session open on this pod, which have ended, and what other pods have for the sockets of this one. */
export type ClientSessions = {
  readonly sessionOpener: SessionOpener;
  readonly tombstones: Tombstones;
  readonly mailboxes: Mailboxes;
  readonly held: HeldStreams;
  readonly general: GeneralStreams;
  readonly inFlight: InFlight;
  readonly waiting: WaitingCalls;
  readonly states: SessionStates;
  listen(): Promise<void>;
};

type ClientSessionsDeps = {
  readonly bus: Ports['bus'];
  readonly logger: Logger;
  readonly podId: PodId;
  readonly pods: () => number;
  readonly store: SharedStore;
  readonly streams: Pick<ClientStreams, 'sessionEnded'>;
};

/** Sessions of clients: opened from memory on every pod, until one of the pods says that their client ended them. */
export function makeClientSessions(
  { sessionSealingKeys: keyring }: Config,
  { bus, logger, podId, pods, store, streams }: ClientSessionsDeps,
): ClientSessions {
  const ended = makeEndedSessions({ bus, keyring });
  const tombstones = makeTombstones({ store, clock, announce: ended.announce });
  const sessionOpener = makeSessionOpener({ keyring, tombstones, facts: makeFactStore(store, keyring), clock, logger });
  const mailboxes = makeMailboxes({ bus, keyring, store, podId, clock, logger });
  const inFlight = makeInFlight({ bus, keyring, clock, logger });
  const states = makeSessionStates({ bus, keyring, store, pods, clock, logger });
  const onEnded = (organisationId: OrganisationId, key: string): void => {
    tombstones.learn(key);
    streams.sessionEnded(organisationId, key);
  };
  return {
    sessionOpener,
    tombstones,
    mailboxes,
    held: new HeldStreams(mailboxes),
    general: new GeneralStreams({ keyring, mailboxes, store }),
    inFlight,
    waiting: new WaitingCalls(),
    states,
    async listen() {
      const ends = ended.listen({ onEnded, onGap: sessionOpener.forgetOpened });
      await Promise.all([ends, mailboxes.listen(), inFlight.listen(), states.listen()]);
    },
  };
}

type StepDeps = {
  readonly catalogues: CredentialCatalogues;
  readonly config: Config;
  readonly credentials: CredentialResolver;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly resolveUpstream: ResolveUpstream;
  readonly sessions: ClientSessions;
  readonly state: State;
  readonly store: SharedStore;
  readonly streams: ClientStreams;
  readonly tracing: Tracing;
  readonly unasked: UnaskedLimits;
};

/** The pipeline of this pod, wired. */
export function makeSteps({
  catalogues,
  config,
  credentials,
  limits,
  logger,
  resolveUpstream,
  sessions: { general, held, inFlight, mailboxes, sessionOpener, states, tombstones, waiting },
  state,
  store,
  streams,
  tracing,
  unasked,
}: StepDeps): ReturnType<typeof makePipeline> {
  const sealingKeys = config.sessionSealingKeys;
  const { proxies } = config.listeners.public;
  const clientAddress: AuthenticateDeps['clientAddress'] = (request) => proxies.clientAddress(request);
  const sessions = makeSessionRegistry({ store, keyring: sealingKeys, states, tombstones, logger });
  const reach = { credentials, resolveUpstream };
  const rounds = { mailboxes, questionIds: makeQuestionIds(sealingKeys), ownOrigin: config.gatewayUrl.origin, waiting };
  const asking = { held, general, states: makeRequestStates(sealingKeys, clock), ownOrigin: config.gatewayUrl.origin };
  const taskIds = makeTaskIds(sealingKeys);
  const initialize = makeInitialize({ sessionOpener });
  const opening = { ...reach, sessions, states, snapshots: state.snapshots, streams, logger, unasked };
  return makePipeline({
    receive: { ...addressesOf(config), snapshots: state.snapshots },
    authenticate: { snapshots: state.snapshots, tokens: state.tokens, tagKey: config.tokenTagKeys.current.key, clock, clientAddress },
    read: { bodyLimitBytes: config.bodyLimitBytes, openSession: sessionOpener.open, trace: tracing.begin },
    throttle: { limits },
    route: { taskIds, seeCatalogues: catalogueView(catalogues, { ...reach, logger }) },
    answerEarly: {
      list: makeList({ cursors: makeListCursors(sealingKeys), lives: new LiveLists({ ...reach, sessions }) }),
      initialize,
      initializeForwarded: makeInitializeForwarded({ ...reach, sessionOpener, sessions }),
      initializeEither: makeInitializeEither({ ...reach, sessionOpener, sessions, initialize }),
      deleteSession: makeDeleteSession({ ...reach, tombstones, sessions, states, logger }),
      listen: makeListen({ ...reach, streams, taskIds }),
      ...sessionChanges({ ...reach, sessions, states, logger }),
      openStream: makeOpenStream({
        ...opening,
        resumeCall: makeResumeCall(rounds),
        ownOrigin: rounds.ownOrigin,
        shares: new StreamShares(),
      }),
      forwardNotification: makeForwardNotification({ ...reach, inFlight, sessions, logger, takeAnswer: makeTakeAnswer(rounds) }),
    },
    attachCredential: { credentials },
    dispatch: { sessions, inFlight, nextId: makeNextId(), resolveUpstream, asking, rounds, states, taskIds },
  });
}

/** What servers offer the caller's credentials, asked of them where it is not known. */
function catalogueView(catalogues: CredentialCatalogues, deps: FetchCatalogueDeps): SeeCatalogues {
  return makeSeeCatalogues({ catalogues, fetch: (asking, server) => fetchCatalogue(deps, asking, server) });
}

/** What changes a client's session for all pods. */
function sessionChanges(deps: SetLevelDeps): Pick<AnswerEarlyDeps, 'changeSubscription' | 'setLevel'> {
  return { changeSubscription: makeChangeSubscription(deps), setLevel: makeSetLevel(deps) };
}

/** What clients may call this listener, and where their pages may come from: loopback, and the public URL behind a balancer. */
export function addressesOf({ gatewayPort, gatewayUrl, listeners: { public: listener } }: Config): Omit<ReceiveDeps, 'snapshots'> {
  const loopback = [...loopbackHosts(gatewayPort)];
  const hosts = new Set([...loopback, gatewayUrl.host]);
  const isOwnHost = makeHostCheck(listener, (host) => hosts.has(host));
  return {
    isForUs: (request) => isOwnHost(listener.proxies.host(request), request.socket.localAddress),
    origins: new Set([...loopback.map((host) => `http://${host}`), gatewayUrl.origin]),
  };
}

/** What a listener is called on its own machine. */
export function loopbackHosts(port: number): ReadonlySet<string> {
  return new Set(['127.0.0.1', 'localhost', '[::1]'].map((host) => `${host}:${port}`));
}
