import { randomUUID } from 'node:crypto';
import type { Refusal } from '@patchbay/errors';
import { scanMessage, sliceMember } from '@patchbay/mcp-wire';
import { UpstreamStream } from '../streams/upstream-stream.ts';
import { streamHeaders } from '../upstream/headers.ts';
import { refuseBroken, refuseFailure } from '../upstream/judge.ts';
import { answerServer } from '../upstream/asking/answer-server.ts';
import { askInSession, closeSession, openSession, WITHOUT_CLIENT } from '../upstream/open-session.ts';
import { type LocatedSession, openOnOne, type Way } from '../upstream/ways.ts';
import type { Subscribing, Subscription } from './subscribe-to.ts';
import { admitUnasked } from '../upstream/unasked-limits.ts';
import { SCAN } from '../upstream/scan-limits.ts';

const UPDATED = 'notifications/resources/updated';
const AT_ONCE = 8;

/**
 * By a session of its own, whose stream stands before the first `resources/subscribe`: an update that follows is not missed. What the
 * server does not take is not honoured. The session ends with the subscription.
 */
export async function subscribeLegacy(input: Subscribing): Promise<Subscription | Refusal> {
  const { upstream } = input;
  const placing = { owner: randomUUID(), slug: upstream.server.slug };
  const placed = await openOnOne(upstream.ways, placing, (way) => openSession(upstream, way, WITHOUT_CLIENT));
  if ('code' in placed) return placed;
  const subscription = new SessionSubscription(input, placed.opened);
  const refused = await subscription.open(placed.way);
  if (refused === undefined) return subscription;
  subscription.close();
  return refused;
}

class SessionSubscription implements Subscription {
  readonly #input: Subscribing;
  readonly #session: LocatedSession;
  readonly #uris: string[] = [];
  #stream: UpstreamStream | null = null;
  #stands = false;
  #isOver = false;

  constructor(input: Subscribing, session: LocatedSession) {
    this.#input = input;
    this.#session = session;
  }

  get honoured() {
    return { resourceSubscriptions: this.#uris };
  }

  async open(way: Way): Promise<Refusal | undefined> {
    const refused = await this.#openStream(way);
    if (refused !== undefined) return refused;
    const wanted = this.#input.filter.resourceSubscriptions ?? [];
    for (let from = 0; from < wanted.length; from += AT_ONCE)
      await Promise.all(wanted.slice(from, from + AT_ONCE).map((uri, index) => this.#subscribe(uri, from + index)));
    this.#stands = !this.#isOver;
    return this.#stands ? undefined : refuseFailure('cut', this.#slug);
  }

  close(): void {
    this.#isOver = true;
    this.#stream?.close();
    void closeSession(this.#input.upstream, this.#session);
  }

  get #slug(): string {
    return this.#input.upstream.server.slug;
  }

  #openStream(way: Way): Promise<Refusal | undefined> {
    const { upstream } = this.#input;
    const headers = streamHeaders(upstream, this.#session, null);
    const request = { pool: way.streams(), path: way.path, headers, timeoutMs: upstream.server.timeouts.requestMs };
    return new Promise((settle) => {
      this.#stream = new UpstreamStream(request, {
        opened: () => settle(undefined),
        refused: (why) =>
          settle(
            typeof why === 'number'
              ? refuseBroken(this.#slug, `answered HTTP ${why} to a request for its stream`)
              : refuseFailure(why, this.#slug),
          ),
        event: ({ data, event }) => {
          if (data !== '' && event === 'message') this.#take(Buffer.from(data));
        },
        ended: () => this.#ended(),
      });
      this.#stream.open();
    });
  }

  async #subscribe(uri: string, index: number): Promise<void> {
    const id = `patchbay-subscribe-${index}`;
    const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'resources/subscribe', params: { uri } });
    const answered = await askInSession(this.#input.upstream, this.#session, { body, id });
    if (!('code' in answered) && sliceMember(answered.body, ['result']) !== null) this.#uris.push(uri);
  }

  #take(bytes: Buffer): void {
    const scanned = scanMessage(bytes, SCAN);
    if (!scanned.ok || this.#isOver) return;
    const { message } = scanned;
    if (!admitUnasked(this.#input.upstream, this.#session, message)) return;
    // No client capabilities were declared, so `ping` is all that a server may ask.
    if (message.kind === 'request') answerServer({ asking: null, session: this.#session, upstream: this.#input.upstream }, bytes, message);
    else if (message.method === UPDATED && message.uri !== null && this.#uris.includes(message.uri)) this.#input.notified(bytes, message);
  }

  #ended(): void {
    if (this.#isOver) return;
    this.close();
    if (this.#stands) this.#input.ended();
  }
}
