import { type Refusal, refusal } from '@patchbay/errors';
import type { MessageId, ScannedMessage } from '@patchbay/mcp-wire';
import type { Exchange } from '../exchange.ts';
import { refuseFailure } from '../judge.ts';
import { notify } from '../open-session.ts';
import type { Relay } from '../relay.ts';
import type { Upstream } from '../upstreams.ts';
import type { LocatedSession } from '../ways.ts';
import type { Asking, Refused, Resumed } from './asking.ts';
import type { Question } from './question.ts';
import { StreamResumer } from './stream-resumer.ts';

export type AskingAttemptInput = {
  readonly asking: Asking;
  readonly upstream: Upstream;
  readonly session: LocatedSession;
  readonly relay: Relay;
  readonly upstreamId: MessageId;
  /** Told of each connection that brings the rest of the stream. */
  readonly onConnection: (exchange: Exchange) => void;
  /** The server's connection is wanted no more: somebody else will take the stream up. */
  readonly letGo: () => void;
};

/** What a server is told whose client cannot be asked. */
export const TAKES_NO_REQUESTS: Refused = { code: -32601, message: 'This client takes no requests.' };
const RECONNECT_MS = 250;
const RECONNECT_MS_MAX = 5_000;

/** One attempt at a call that its server may ask its client something in, or let go of and have taken up again. */
export class AskingAttempt {
  readonly #input: AskingAttemptInput;
  readonly #resumer: StreamResumer;

  constructor(input: AskingAttemptInput) {
    this.#input = input;
    this.#resumer = new StreamResumer(input);
  }

  /** The server reported progress. */
  extend(): void {
    this.#resumer.extend();
  }

  /** What the server is told at once; null: the client is asked. */
  take(bytes: Buffer, message: ScannedMessage): Refused | null {
    const { asking, relay } = this.#input;
    // Without numbers there is no place to take the stream up from.
    return relay.lastEventId === null ? TAKES_NO_REQUESTS : asking.take(bytes, message, (questions) => this.#park(questions));
  }

  /** A server that asked and then let go of its stream is answered by a later call; any other is asked for the rest. */
  takeUp(lastEventId: string): true {
    const { asking, relay, upstream } = this.#input;
    const afterMs = Math.min(relay.retryMs ?? RECONNECT_MS, RECONNECT_MS_MAX);
    const lost = refuseFailure('cut', upstream.server.slug);
    if (!asking.isGathering) this.#resumer.takeUp({ lastEventId, afterMs, onLive: () => undefined, lost });
    return true;
  }

  /** The rest of the stream first, then the answers: some servers lose what they say to nobody. */
  resume({ call, responses }: Resumed): void {
    const lost = refuseLost(this.#input.upstream.server.slug);
    this.#resumer.takeUp({ lastEventId: call.lastEventId, afterMs: 0, onLive: () => void this.#tell(responses), lost });
  }

  async #tell(responses: readonly string[]): Promise<void> {
    const { relay, session, upstream } = this.#input;
    const told = await Promise.all(responses.map((response) => notify(upstream, session, response)));
    if (told.some((each) => 'code' in each || each.status >= 400)) relay.refuse(refuseLost(upstream.server.slug));
  }

  /** The client's call ends with the questions; the server's goes on, and is taken up by the call that brings the answers. */
  #park(questions: readonly Question[]): void {
    const { asking, letGo, relay, session, upstreamId } = this.#input;
    const { lastEventId } = relay;
    if (lastEventId === null || relay.isOver) return;
    letGo();
    const { id, instance, protocolVersion } = session;
    relay.finish(asking.inputRequired({ session: { id, instance, protocolVersion }, upstreamId, lastEventId }, questions));
  }
}

/** What waited at the server is not there any more. It is never called again by us: it may have run in part. */
function refuseLost(slug: string): Refusal {
  return refusal('upstream.call_lost', `Server "${slug}" no longer knows it.`);
}
