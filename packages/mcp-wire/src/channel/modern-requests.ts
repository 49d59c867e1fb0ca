import { setTimeout as sleep } from 'node:timers/promises';
import { sliceMember } from '../json-slices.ts';
import { META_KEYS } from '../rev-2026-07-28/envelope.ts';
import { mcpNameOf, modernHeaders } from '../rev-2026-07-28/headers.ts';
import { scanMessage } from '../scan.ts';
import type { ScannedMessage } from '../scanned-message.ts';
import { ACCEPT_BOTH } from './channel-session.ts';
import type { Pending } from './pending.ts';
import { endedEarly, readAnswer, readWhole } from './read-answer.ts';
import type { ChannelAnswer, Send } from './send.ts';
import { retryAfterMs } from './server-stream.ts';
import { SubscriptionRenewal } from './subscription-renewal.ts';
import { ToolHeaders } from './tool-headers.ts';

export type ModernRequestsDeps = {
  readonly send: Send;
  /** Takes what the server says: the answer to `pending`, or a notification. */
  readonly hear: (message: Buffer, pending: Pending) => Promise<void>;
};

export type ModernRequest = { readonly bytes: Buffer; readonly message: ScannedMessage; readonly pending: Pending };

const HEADER_MISMATCH = -32020;
const LIST_ID = '"patchbay-channel"';
/** A list that does not end is not followed for ever. */
const PAGES_MAX = 100;

/** Carries requests of revision 2026-07-28: their headers are made here, because a channel has none. */
export class ModernRequests {
  readonly #deps: ModernRequestsDeps;
  readonly #tools = new ToolHeaders();

  constructor(deps: ModernRequestsDeps) {
    this.#deps = deps;
  }

  /** Rejects when there is no answer. */
  async ask(request: ModernRequest): Promise<void> {
    const { message, pending } = request;
    if (message.method === 'subscriptions/listen') return this.#listen(request);
    let answer = await this.#post(request);
    if (answer.status >= 300) {
      let body = await readWhole(answer);
      if (message.method === 'tools/call' && errorCodeOf(body) === HEADER_MISMATCH) {
        // The tool wants arguments repeated in headers, and the list that says which has not passed by.
        await this.#readList(request);
        answer = await this.#post(request);
        body = answer.status >= 300 ? await readWhole(answer) : body;
      }
      if (answer.status >= 300) return pending.answerError(answer.status, body);
    }
    const end = await readAnswer(answer, (heard) => this.#hear(heard, request));
    if (!pending.isOver) throw endedEarly(end);
  }

  #hear(heard: Buffer, { message, pending }: ModernRequest): Promise<void> {
    if (message.method === 'tools/list') this.#tools.learn(heard);
    return this.#deps.hear(heard, pending);
  }

  /** A subscription lasts until one of the two sides ends it: a stream that is merely cut is opened again, and the client told to look. */
  async #listen(request: ModernRequest): Promise<void> {
    const { pending } = request;
    const renewal = new SubscriptionRenewal((message) => this.#deps.hear(message, pending));
    for (let failures = 0; !pending.isOver; failures += 1) {
      const answer = await this.#post(request).catch((error: unknown) => {
        if (!renewal.isRenewing) throw error;
        return null;
      });
      if (answer !== null && answer.status >= 300) {
        const body = await readWhole(answer);
        if (answer.status < 500 || !renewal.isRenewing) return pending.answerError(answer.status, body);
      } else if (answer !== null) {
        const end = await readAnswer(answer, (heard) => renewal.hear(heard));
        if (!renewal.isRenewing) throw endedEarly(end);
        failures = 0;
      }
      if (!pending.isOver)
        await sleep(retryAfterMs(null, failures), undefined, { signal: pending.signal, ref: false }).catch(() => undefined);
    }
  }

  #post({ bytes, message, pending }: ModernRequest): Promise<ChannelAnswer> {
    const headers = { ...headersOf(message), ...this.#tools.of(message, bytes) };
    return this.#deps.send({ method: 'POST', headers, body: bytes, signal: pending.signal });
  }

  async #readList({ bytes, message, pending }: ModernRequest): Promise<void> {
    const { clientCapabilitiesSpan: span, metaProtocolVersion: version } = message;
    const capabilities = span === null ? '{}' : bytes.toString('utf8', span.start, span.end);
    const meta = `{"${META_KEYS.protocolVersion}":${JSON.stringify(version)},"${META_KEYS.clientCapabilities}":${capabilities}}`;
    let cursor: string | null = null;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const more = cursor === null ? '' : `,"cursor":${JSON.stringify(cursor)}`;
      const body = Buffer.from(`{"jsonrpc":"2.0","id":${LIST_ID},"method":"tools/list","params":{"_meta":${meta}${more}}}`);
      const scanned = scanMessage(body);
      if (!scanned.ok) return;
      const answer = await this.#deps.send({ method: 'POST', headers: headersOf(scanned.message), body, signal: pending.signal });
      let next: string | null = null;
      await readAnswer(answer, async (heard) => {
        next = this.#tools.learn(heard) ?? next;
      });
      if (next === null) return;
      cursor = next;
    }
  }
}

function headersOf(message: ScannedMessage): Record<string, string> {
  const own = modernHeaders(message.metaProtocolVersion ?? '', message.method, mcpNameOf(message));
  return { 'content-type': 'application/json', accept: ACCEPT_BOTH, ...own };
}

function errorCodeOf(body: Buffer): number | null {
  const span = sliceMember(body, ['error', 'code']);
  return span === null ? null : Number(body.toString('utf8', span.start, span.end));
}
