import { type Refusal, refusal } from '@patchbay/errors';
import type { MessageId, ScannedMessage } from '@patchbay/mcp-wire';
import { type Connection, Exchange, type Receiver } from '../exchange.ts';
import { refuseFailure } from '../judge.ts';
import { notify } from '../open-session.ts';
import type { Relay } from '../relay.ts';
import type { Upstream } from '../upstreams.ts';
import type { LocatedSession } from '../ways.ts';
import type { Asking, Resumed } from './asking.ts';
import type { Hearer } from './general-stream.ts';
import { HeldStream, type ToHolder } from './held-stream.ts';
import type { Question } from './question.ts';
import { RemoteStream } from './remote-stream.ts';
import type { Place } from './request-state.ts';
import { StreamResumer } from './stream-resumer.ts';
import { type Refused, TAKES_NO_REQUESTS } from './takes-no-requests.ts';

export type AskingAttemptInput = {
  readonly asking: Asking;
  readonly upstream: Upstream;
  readonly session: LocatedSession;
  readonly relay: Relay;
  readonly upstreamId: MessageId;
  /** Told of each connection that brings the rest of the stream. */
  readonly onConnection: (connection: Connection) => void;
  /** The connection that stands, which the call steers no more: it is somebody else's to go on with. */
  readonly letGo: () => Connection | null;
};

const RECONNECT_MS = 250;
const RECONNECT_MS_MAX = 5_000;

/** One attempt at a call that its server may ask its client something in, or let go of and have taken up again. */
export class AskingAttempt implements Hearer {
  readonly #input: AskingAttemptInput;
  readonly #resumer: StreamResumer;
  readonly #held: HeldStream;
  /** Its client is being told what it was asked until now: nothing can be added. */
  #isParking = false;
  /** Where its server let go of the stream while the client was to be asked. */
  #cutAt: string | null = null;

  constructor(input: AskingAttemptInput) {
    this.#input = input;
    this.#resumer = new StreamResumer(input);
    this.#held = new HeldStream(input.asking.held, input.relay);
    input.asking.hearer = this;
  }

  /** What the first connection of a call brings its answer to. */
  get receiver(): Receiver {
    return this.#held;
  }

  /** The server reported progress. */
  extend(): void {
    this.#resumer.extend();
  }

  /** What the server is told at once; null: the client is asked. */
  take(bytes: Buffer, message: ScannedMessage): Refused | null {
    const { asking, relay } = this.#input;
    const { held, organisationId } = asking.held;
    if (relay.position.lastEventId === null && !held.hasRoom(organisationId)) return TAKES_NO_REQUESTS;
    return asking.take(bytes, message, (questions) => {
      this.#park(questions).catch((error: unknown) => relay.crashed(error));
    });
  }

  /** The same outside of the call. False: the call has ended, or cannot be asked this; its place to go on is its own stream. */
  ask(bytes: Buffer, message: ScannedMessage): boolean {
    const { asking, relay, session, upstream } = this.#input;
    if (!relay.isWaiting || this.#isParking || !asking.canAsk) return false;
    const refused = this.take(bytes, message);
    if (refused === null) asking.keepUntold(bytes);
    else void notify(upstream, session, JSON.stringify({ jsonrpc: '2.0', id: message.id, error: refused }));
    return true;
  }

  hear(bytes: Buffer, message: ScannedMessage): void {
    this.#input.relay.hear(bytes, message);
  }

  /** A server that asked and then let go of its stream is answered by a later call; any other is asked for the rest. */
  takeUp(lastEventId: string): true {
    if (this.#input.asking.isGathering) this.#cutAt = lastEventId;
    else this.#resumeAt(lastEventId);
    return true;
  }

  #resumeAt(lastEventId: string): void {
    const { relay, upstream } = this.#input;
    const afterMs = Math.min(relay.position.retryMs ?? RECONNECT_MS, RECONNECT_MS_MAX);
    const lost = refuseFailure('cut', upstream.server.slug);
    this.#resumer.takeUp({ lastEventId, afterMs, onLive: () => undefined, lost });
  }

  /** The rest of the stream first, then the answers: some servers lose what they say to nobody. */
  resume({ call: { place }, responses }: Resumed): void {
    const { asking, onConnection, relay, upstream } = this.#input;
    const { slug, timeouts } = upstream.server;
    const lost = refuseLost(slug);
    const onLive = (): void => void this.#tell(responses);
    if ('lastEventId' in place) {
      this.#resumer.takeUp({ lastEventId: place.lastEventId, afterMs: 0, onLive, lost });
      return;
    }
    const { address } = place;
    const { held, organisationId } = asking.held;
    const { mailboxes } = held;
    const remote = new RemoteStream({ mailboxes, organisationId, address, lost, onLive, relay, slug, timeoutMs: timeouts.requestMs });
    onConnection(remote);
    void remote.start();
  }

  async #tell(responses: readonly string[]): Promise<void> {
    const { relay, session, upstream } = this.#input;
    const told = await Promise.all(responses.map((response) => notify(upstream, session, response)));
    if (told.some((each) => 'code' in each || each.status >= 400)) relay.refuse(refuseLost(upstream.server.slug));
  }

  /** The client's call ends with the questions; the server's goes on, and is taken up by the call that brings the answers. Without any both go on. */
  async #park(questions: readonly Question[]): Promise<void> {
    const { asking, relay, session, upstream, upstreamId } = this.#input;
    if (!relay.isWaiting) return;
    if (questions.length === 0) {
      if (this.#cutAt !== null) this.#resumeAt(this.#cutAt);
      this.#cutAt = null;
      return;
    }
    this.#isParking = true;
    const place = await this.#leave();
    if (place === null) {
      for (const { id } of questions)
        void notify(upstream, session, `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify(TAKES_NO_REQUESTS)}}`);
      return;
    }
    const { id, instance, protocolVersion } = session;
    if (relay.isOver) this.#dropAt(place);
    else relay.finish(asking.inputRequired({ session: { id, instance, protocolVersion }, upstreamId, place }, questions));
  }

  /** Its client has left meanwhile. */
  #dropAt(place: Place): void {
    const { held, organisationId } = this.#input.asking.held;
    const letter: ToHolder = { kind: 'drop' };
    if ('address' in place) held.mailboxes.post(organisationId, place.address, JSON.stringify(letter)).catch(() => undefined);
  }

  /** Where the stream goes on; null when there is none at this moment. */
  async #leave(): Promise<Place | null> {
    const { letGo, relay } = this.#input;
    const { position, reader } = relay;
    const connection = letGo();
    if (position.lastEventId !== null) {
      connection?.abort();
      return { lastEventId: position.lastEventId };
    }
    if (connection instanceof RemoteStream) {
      await connection.leave();
      return { address: connection.address };
    }
    return connection instanceof Exchange ? { address: await this.#held.hold(connection, reader) } : null;
  }
}

/** What waited at the server is not there any more. It is never called again by us: it may have run in part. */
function refuseLost(slug: string): Refusal {
  return refusal('upstream.call_lost', `Server "${slug}" no longer knows it.`);
}
