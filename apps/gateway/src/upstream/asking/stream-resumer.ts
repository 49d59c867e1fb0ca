import { performance } from 'node:perf_hooks';
import type { Refusal } from '@patchbay/errors';
import { type Connection, Exchange } from '../exchange.ts';
import { streamHeaders } from '../headers.ts';
import { refuseFailure } from '../judge.ts';
import type { Relay } from '../relay.ts';
import type { Upstream } from '../upstreams.ts';
import type { LocatedSession } from '../ways.ts';
import { ResumedStream } from './resumed-stream.ts';

export type StreamResumerInput = {
  readonly upstream: Upstream;
  readonly session: LocatedSession;
  readonly relay: Relay;
  readonly onConnection: (connection: Connection) => void;
};

/** Where a stream is taken up, how long before, what is said once it stands, and what is wrong if there is none any more. */
export type TakingUp = { readonly lastEventId: string; readonly afterMs: number; readonly onLive: () => void; readonly lost: Refusal };

/** A server that lets go of its stream over and over gets as long as one that reports progress. */
const TIMEOUTS_MAX = 10;
const BUSY_RETRY_MS = 100;

/** Brings a relay the rest of a legacy server's stream, on as many connections as that takes, under one deadline. */
export class StreamResumer {
  readonly #input: StreamResumerInput;
  readonly #timeoutMs: number;
  readonly #lastMoment: number;
  #deadline: number;

  constructor(input: StreamResumerInput) {
    this.#input = input;
    this.#timeoutMs = input.upstream.server.timeouts.requestMs;
    const now = performance.now();
    this.#deadline = now + this.#timeoutMs;
    this.#lastMoment = now + this.#timeoutMs * TIMEOUTS_MAX;
  }

  /** The server reported progress. */
  extend(): void {
    this.#deadline = Math.min(performance.now() + this.#timeoutMs, this.#lastMoment);
  }

  takeUp(taking: TakingUp): void {
    setTimeout(() => this.#connect(taking), taking.afterMs);
  }

  #connect(taking: TakingUp): void {
    const { lastEventId, lost, onLive } = taking;
    const { onConnection, relay, session, upstream } = this.#input;
    if (relay.isOver) return;
    const { slug } = upstream.server;
    const onLost = (): void => relay.refuse(lost);
    const way = upstream.ways.to(session);
    if (way === null) return onLost();
    const timeoutMs = this.#deadline - performance.now();
    if (timeoutMs <= 0) return relay.refuse(refuseFailure('timeout', slug));
    const onBusy = (): void => this.takeUp({ ...taking, afterMs: BUSY_RETRY_MS });
    const request = {
      pool: way.pool,
      method: 'GET',
      path: way.path,
      headers: streamHeaders(upstream, session, lastEventId),
      body: null,
    } as const;
    const exchange = new Exchange({ ...request, timeoutMs }, new ResumedStream({ slug, relay, onBusy, onLive, onLost }));
    onConnection(exchange);
    exchange.start();
  }
}
