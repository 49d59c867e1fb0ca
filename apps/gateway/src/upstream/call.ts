import { performance } from 'node:perf_hooks';
import type { Refusal } from '@patchbay/errors';
import { mcpNameOf, type MessageId, type ScannedMessage } from '@patchbay/mcp-wire';
import type { TaskIds } from '../aggregate/task-ids.ts';
import type { CallContext, Outcome } from '../pipeline/context.ts';
import type { Asking, Resumed } from './asking/asking.ts';
import { AskingAttempt } from './asking/asking-attempt.ts';
import { answerServer } from './asking/answer-server.ts';
import type { Bridge } from './bridge/bridge.ts';
import { fitEndpoint } from './bridge/fit-endpoint.ts';
import { type Edge, makeBridge, type NextId, type UpstreamTarget } from './bridge/make-bridge.ts';
import { Downstream } from './downstream.ts';
import { edgeEra } from './edge-era.ts';
import { doubtRefused } from './era-doubts.ts';
import { type Connection, Exchange } from './exchange.ts';
import { forwardedParams, legacyHeaders, modernRequestHeaders } from './headers.ts';
import type { InFlight } from './in-flight.ts';
import { notify } from './open-session.ts';
import { outcomeOf } from './outcome-of.ts';
import { paramHeadersFor } from './param-headers.ts';
import { Relay } from './relay.ts';
import type { RelayEnd } from './relay-end.ts';
import { InputRounds, type InputRoundsDeps } from './rounds/input-rounds.ts';
import { RisingProgress } from './rounds/rising-progress.ts';
import type { SessionOwner, SessionRegistry, UpstreamSession } from './session-registry.ts';
import { admitUnasked } from './unasked-limits.ts';
import type { Upstream } from './upstreams.ts';
import type { Way } from './ways.ts';

export type CallDeps = {
  readonly sessions: SessionRegistry;
  readonly inFlight: InFlight;
  readonly nextId: NextId;
  readonly taskIds: TaskIds;
  readonly rounds: InputRoundsDeps;
};

export type CallInput = {
  readonly ctx: CallContext;
  readonly message: ScannedMessage;
  readonly target: UpstreamTarget;
  readonly upstream: Upstream;
  readonly owner: SessionOwner;
  /** The log level of the client's session, for a modern server; null: none was set. */
  readonly level: string | null;
  /** Only of a modern client's call at a legacy server. */
  readonly asking: Asking | null;
};

type Attempt = {
  /** null: no connection stands at this moment. */
  exchange: Connection | null;
  readonly relay: Relay;
  readonly upstreamId: MessageId;
  readonly session: UpstreamSession | null;
  readonly asking: AskingAttempt | null;
};

const GONE: RelayEnd = { kind: 'gone' };
/** Hosts that are restarted one after another can take a session away twice. */
const REPLACEMENTS_MAX = 2;

/**
 * One call on its way to its server and back. Sent again only when nothing was sent, when the server says it knows no such session, or when
 * the server itself asked for that: with its client's answers, or later (`InputRounds`).
 */
export class UpstreamCall {
  readonly #deps: CallDeps;
  readonly #input: CallInput;
  readonly #downstream: Downstream;
  #attempt: Attempt | null = null;
  #rounds: InputRounds | null = null;
  /** Only of a call that may be sent again with answers. */
  #progress: RisingProgress | null = null;
  #isCancelled = false;

  constructor(deps: CallDeps, input: CallInput) {
    this.#deps = deps;
    this.#input = input;
    this.#downstream = new Downstream(input.ctx.response, {
      drained: () => this.#attempt?.exchange?.resume(),
      left: () => this.#onLeft(),
    });
  }

  async run(): Promise<Outcome> {
    const { ctx, message, owner } = this.#input;
    const takeOut =
      owner.clientSession === null || message.id === null
        ? null
        : this.#deps.inFlight.add(owner.clientSession.key, message.id, () => this.#cancel());
    ctx.upstreamStartedAtMs = performance.now();
    try {
      return this.#conclude(await this.#runAttempts());
    } finally {
      takeOut?.();
      this.#input.asking?.stop();
      this.#downstream.release();
      ctx.upstreamMs = performance.now() - ctx.upstreamStartedAtMs - (this.#rounds?.waitedMs ?? 0);
    }
  }

  async #runAttempts(): Promise<RelayEnd> {
    const { asking, owner, target, upstream } = this.#input;
    if (edgeEra(target.server, owner.clientSession) === 'modern') return this.#runModern();
    if (asking !== null && asking.resumed !== null) return this.#resume(asking, asking.resumed);
    const found = this.#deps.sessions.current(upstream, owner);
    let session = found instanceof Promise ? await found : found;
    const keepsNone = (replacements: number): boolean => replacements > 0 && target.server.catalogue?.era === 'modern';
    for (let replacements = 0; ; replacements += 1) {
      // One that keeps no sessions any more is bridged.
      if ('code' in session) return keepsNone(replacements) ? this.#runModern() : { kind: 'refused', refusal: session };
      const current = session;
      const run = (): Promise<RelayEnd> => this.#runDialling(current);
      const end = await (asking === null ? run() : asking.hearing(upstream, current, run));
      if (end.kind !== 'gone' || replacements === REPLACEMENTS_MAX) return end;
      // 404, or a host that could not be sent to: the message was not executed, so it may be sent again.
      session = await this.#deps.sessions.replace(upstream, owner, session);
    }
  }

  /** Only a client with a session can be asked on the stream of its call; a modern one gets the question as its answer. */
  async #runModern(): Promise<RelayEnd> {
    const { ctx, owner, target } = this.#input;
    if (owner.clientSession !== null) this.#progress = new RisingProgress();
    const end = await this.#runDialling(null);
    if (end.kind !== 'input-required' || owner.clientSession === null) return end;
    const { sampling, slug } = target.server;
    const asked = { ctx, session: owner.clientSession, slug, sampling, downstream: this.#downstream };
    this.#rounds = new InputRounds(this.#deps.rounds, asked);
    return this.#rounds.run(end.required, () => this.#runDialling(null));
  }

  async #runDialling(session: UpstreamSession | null): Promise<RelayEnd> {
    const way = this.#input.upstream.ways.to(session);
    if (way === null) return GONE;
    const first = await this.#runOnce(session, way);
    const end = first.kind === 'dial' ? await this.#runOnce(session, way) : first;
    return end.kind === 'dial' && way.giveUp() ? GONE : end;
  }

  #runOnce(session: UpstreamSession | null, { path, pool }: Way): Promise<RelayEnd> {
    if (this.#isCancelled) return Promise.resolve({ kind: 'cancelled' });
    const isExclusive = session === null || (session.id !== null && this.#input.ctx.session !== null);
    const upstreamEra = session === null ? 'modern' : 'legacy';
    const bridge = this.#bridge({ isExclusive, nextId: this.#deps.nextId, upstreamEra });
    return new Promise((settle) => {
      const attempt = this.#begin(session, bridge, settle);
      const headers = this.#headers(session);
      const timeoutMs = this.#input.target.server.timeouts.requestMs;
      const receiver = attempt.asking?.receiver ?? attempt.relay;
      const exchange = new Exchange({ pool, method: 'POST', path, headers, body: bridge.body, timeoutMs }, receiver);
      attempt.exchange = exchange;
      exchange.start();
    });
  }

  /** The call waits at its server: nothing is sent but the answers that it waits for. */
  #resume(asking: Asking, resumed: Resumed): Promise<RelayEnd> {
    const bridge = this.#bridge({ isExclusive: false, nextId: () => resumed.call.upstreamId, upstreamEra: 'legacy' });
    const session = { ...resumed.call.session, record: null };
    return asking.hearing(this.#input.upstream, session, () => {
      if (this.#isCancelled) return Promise.resolve({ kind: 'cancelled' });
      return new Promise((settle) => this.#begin(session, bridge, settle).asking?.resume(resumed));
    });
  }

  #bridge(edge: Edge): Bridge {
    const { asking, ctx, level, message, target } = this.#input;
    const continuation = this.#rounds?.continuation ?? null;
    const own = makeBridge({ ...edge, continuation, ctx, level, message, ownOrigin: this.#deps.rounds.ownOrigin, target });
    const bridge = fitEndpoint(ctx, { ...target, upstreamEra: edge.upstreamEra }, { bridge: own, taskIds: this.#deps.taskIds });
    return this.#progress?.over(bridge) ?? asking?.over(bridge) ?? bridge;
  }

  #begin(session: UpstreamSession | null, bridge: Bridge, settle: (end: RelayEnd) => void): Attempt {
    const { asking, upstream } = this.#input;
    const { upstreamId } = bridge;
    const relay = this.#makeRelay(session, bridge, settle);
    const onConnection = (connection: Connection): void => void (attempt.exchange = connection);
    const letGo = (): Connection | null => {
      const connection = attempt.exchange;
      attempt.exchange = null;
      return connection;
    };
    const ofAsking =
      asking === null || session === null ? null : new AskingAttempt({ asking, letGo, onConnection, relay, session, upstream, upstreamId });
    const attempt: Attempt = { exchange: null, relay, session, upstreamId, asking: ofAsking };
    this.#attempt = attempt;
    return attempt;
  }

  #makeRelay(session: UpstreamSession | null, bridge: Bridge, settle: (end: RelayEnd) => void): Relay {
    const { ctx, target } = this.#input;
    return new Relay({
      slug: target.server.slug,
      isModernClient: ctx.era === 'modern',
      isStdio: target.server.kind === 'stdio',
      hasSession: session !== null && session.id !== null,
      bridge,
      downstream: this.#downstream,
      control: {
        pause: () => this.#attempt?.exchange?.pause(),
        extend: () => {
          this.#attempt?.exchange?.extend();
          this.#attempt?.asking?.extend();
        },
        leave: () => this.#attempt?.exchange?.linger(),
      },
      admits: (said) => admitUnasked(this.#input.upstream, session, said),
      onRequest: (bytes, request) => this.#answerUpstream(bytes, request),
      onCut: (lastEventId) => this.#attempt?.asking?.takeUp(lastEventId) ?? false,
      settle,
    });
  }

  #headers(session: UpstreamSession | null): Record<string, string> {
    const { ctx, message, target, upstream } = this.#input;
    const name = target.upstreamName ?? mcpNameOf(message);
    const headers = session === null ? modernRequestHeaders(upstream, message.method, name) : legacyHeaders(upstream, session);
    if (session === null) Object.assign(headers, this.#paramHeaders());
    if (ctx.traceparent !== null) headers['traceparent'] = ctx.traceparent;
    return headers;
  }

  #paramHeaders(): Record<string, string> {
    const { ctx, message, target } = this.#input;
    if (ctx.era === 'modern') return forwardedParams(ctx.request);
    if (message.method !== 'tools/call') return {};
    return paramHeadersFor({ server: target.server, tool: target.object.name, body: ctx.body, message });
  }

  #conclude(end: RelayEnd): Outcome {
    const { ctx, target } = this.#input;
    ctx.upstreamStatus = this.#attempt?.relay.upstreamStatus ?? 0;
    if (end.kind === 'refused' || end.kind === 'broken-off') this.#tellTimedOut(end.refusal);
    // Without a session it was taken for a modern one, which answers, or refuses by a code of its revision.
    if (end.kind === 'refused' && this.#attempt?.session === null) doubtRefused(this.#input.upstream, ctx.upstreamStatus);
    return outcomeOf(ctx, end, target.server.slug);
  }

  /** An upstream that was too slow is told to stop (protocol.md trap 10). */
  #tellTimedOut({ code }: Refusal): void {
    if (code === 'upstream.timeout') this.#tellCancelled('The request timed out.');
  }

  /**
   * To a modern client's server, leaving is cancelling. A legacy client that leaves may come back: for the rest of a stream whose place it
   * knows, which the server must be free to give to another pod; otherwise for nothing, and its call ends by itself.
   */
  #onLeft(): void {
    if (this.#input.ctx.era === 'modern') this.#cancel();
    else if (this.#attempt?.relay.park() === true) this.#attempt.exchange?.abort();
    else {
      this.#attempt?.exchange?.resume();
      this.#rounds?.left();
    }
  }

  /** The client wants no answer. The upstream is told in its own era's way: a notification, or the closed stream. */
  #cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#tellCancelled('The client cancelled the request.');
    this.#attempt?.exchange?.abort();
    if (!this.#downstream.isGone) this.#downstream.endEmpty();
    this.#attempt?.relay.stop({ kind: 'cancelled' });
    this.#rounds?.cancel();
  }

  #tellCancelled(reason: string): void {
    if (this.#attempt === null) return;
    const { session, upstreamId } = this.#attempt;
    if (session === null) return;
    const params = { requestId: upstreamId, reason };
    void notify(this.#input.upstream, session, JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params }));
  }

  #answerUpstream(bytes: Buffer, message: ScannedMessage): void {
    const { asking = null, session = null } = this.#attempt ?? {};
    if (session !== null) answerServer({ asking, session, upstream: this.#input.upstream }, bytes, message);
  }
}
