import { createHash } from 'node:crypto';
import type { OrganisationId } from '@patchbay/contracts';
import { scanMessage } from '@patchbay/mcp-wire';
import type { SharedStore } from '@patchbay/ports';
import { type Keyring, open, seal } from '@patchbay/vault';
import { LRUCache } from 'lru-cache';
import { within } from '../../directory/within.ts';
import type { Mailboxes, OpenMailbox, Posted } from '../../mailbox/mailboxes.ts';
import type { Upstream } from '../upstreams.ts';
import type { LocatedSession } from '../ways.ts';
import { GeneralStream, type Hearer } from './general-stream.ts';

export type GeneralStreamsDeps = {
  readonly store: Pick<SharedStore, 'get' | 'set' | 'delete'>;
  readonly mailboxes: Pick<Mailboxes, 'open' | 'post'>;
  /** The fleet's session sealing keys. */
  readonly keyring: Keyring;
};

/** A call that has ended says what it was asked and did not come to tell its client. */
export type Leave = (untold: readonly Buffer[]) => void;

type ToReader =
  | { readonly kind: 'join'; readonly replyTo: string }
  | { readonly kind: 'leave'; readonly replyTo: string; readonly untold: readonly string[] };

type Joining = { readonly upstream: Upstream; readonly session: LocatedSession; readonly hearer: Hearer };

const STREAMS_PER_ORGANISATION_MAX = 500;
const STORE_TIMEOUT_MS = 1_500;
/** As long as a mailbox; that a pod has died is known sooner. */
const RECORD_LIFETIME_MS = 24 * 3_600_000;
/** As long as a call whose server reports progress. */
const CALL_TIMEOUTS_MAX = 10;
/** A server without such a stream, or that does not say, is asked again after a while. */
const NONE_MS = 10 * 60_000;
const NONE_MAX = 10_000;
/** What was on its way to a call that has left is sent back. */
const LATE_MS = 2_000;
const NOTHING: Leave = () => undefined;
const NOBODY: Hearer = { ask: () => false, hear: () => undefined };

/**
 * The general streams of upstream sessions: many servers put their requests there instead of on the stream of the call they serve. Servers allow
 * one reader a session: the pod that reads passes on to calls of other pods by letters.
 */
export class GeneralStreams {
  readonly #deps: GeneralStreamsDeps;
  readonly #keyring: Keyring;
  readonly #streams = new Map<string, GeneralStream>();
  readonly #none = new LRUCache<string, true>({ max: NONE_MAX, ttl: NONE_MS });

  constructor(deps: GeneralStreamsDeps) {
    this.#deps = deps;
    this.#keyring = deps.keyring.derive('general-stream');
  }

  /** From when it resolves (at once where the stream is read here already) until it leaves, a call hears what its server says there. */
  join(joining: Joining): Leave | Promise<Leave> {
    const { session, upstream } = joining;
    if (session.id === null || this.#none.has(serverKey(upstream))) return NOTHING;
    const known = this.#streams.get(recordKey(upstream, session));
    return known?.isOpen === true ? add(known, joining.hearer) : this.#joinLate(joining);
  }

  close(): void {
    for (const stream of [...this.#streams.values()]) stream.close();
  }

  async #joinLate(joining: Joining): Promise<Leave> {
    const { hearer, session, upstream } = joining;
    const key = recordKey(upstream, session);
    const opening = this.#streams.get(key);
    if (opening === undefined && this.#countOf(upstream.organisationId) >= STREAMS_PER_ORGANISATION_MAX) return NOTHING;
    const stream = opening ?? this.#begin(key, joining);
    const stood = await stream.open();
    if (stood === 'taken') return this.#joinElsewhere(joining);
    if (stood === 'none') this.#none.set(serverKey(upstream), true);
    if (stood !== 'open') return NOTHING;
    if (opening === undefined) void this.#offer(upstream, key, stream).catch(() => undefined);
    return add(stream, hearer);
  }

  #begin(key: string, { session, upstream }: Joining): GeneralStream {
    const stream = new GeneralStream({ upstream, session });
    this.#streams.set(key, stream);
    stream.onceOver(() => this.#streams.delete(key));
    return stream;
  }

  #countOf(organisationId: OrganisationId): number {
    let count = 0;
    for (const key of this.#streams.keys()) if (key.startsWith(organisationId)) count += 1;
    return count;
  }

  /** Other pods find it under the session's record. */
  async #offer({ organisationId, server }: Upstream, key: string, stream: GeneralStream): Promise<void> {
    const { mailboxes, store } = this.#deps;
    const others = new Map<string, { readonly hearer: Hearer; readonly timer: NodeJS.Timeout }>();
    const leave = (replyTo: string, untold: readonly Buffer[]): void => {
      const other = others.get(replyTo);
      others.delete(replyTo);
      clearTimeout(other?.timer);
      stream.remove(other?.hearer ?? NOBODY, untold);
    };
    const join = (replyTo: string): void => {
      const hearer = this.#elsewhere(organisationId, replyTo, (untold) => leave(replyTo, untold));
      // A pod that dies does not say so.
      const timer = setTimeout(() => leave(replyTo, []), server.timeouts.requestMs * CALL_TIMEOUTS_MAX);
      others.set(replyTo, { hearer, timer });
      stream.add(hearer);
    };
    const box = await mailboxes.open(organisationId, (letter) => {
      const read = JSON.parse(letter) as ToReader;
      if (read.kind === 'join') join(read.replyTo);
      else
        leave(
          read.replyTo,
          read.untold.map((text) => Buffer.from(text)),
        );
    });
    stream.onceOver(() => {
      for (const { timer } of others.values()) clearTimeout(timer);
      box.close();
      store.delete(organisationId, key).catch(() => undefined);
    });
    await store.set(organisationId, key, seal(this.#keyring, box.address, [key, organisationId]), RECORD_LIFETIME_MS);
  }

  /** A call of another pod. What it does not take it sends back; what does not reach it is asked by another. */
  #elsewhere(organisationId: OrganisationId, replyTo: string, leave: Leave): Hearer {
    const post = (bytes: Buffer): Promise<Posted | null> =>
      this.#deps.mailboxes.post(organisationId, replyTo, bytes.toString('utf8')).catch(() => null);
    return {
      ask(bytes) {
        void post(bytes).then((posted) => posted !== 'posted' && leave([bytes]));
        return true;
      },
      hear: (bytes) => void post(bytes).then((posted) => posted === 'absent' && leave([])),
    };
  }

  async #joinElsewhere({ hearer, session, upstream }: Joining): Promise<Leave> {
    const { mailboxes, store } = this.#deps;
    const { organisationId } = upstream;
    const key = recordKey(upstream, session);
    const record = await within(store.get(organisationId, key), STORE_TIMEOUT_MS, null);
    const address = record === null ? null : open(this.#keyring, record, [key, organisationId])?.toString('utf8');
    if (address === null || address === undefined) return NOTHING;
    const box: OpenMailbox = await mailboxes.open(organisationId, (letter) => {
      const bytes = Buffer.from(letter);
      const scanned = scanMessage(bytes);
      if (!scanned.ok) return;
      if (scanned.message.kind === 'notification') hearer.hear(bytes, scanned.message);
      else if (!hearer.ask(bytes, scanned.message)) post({ kind: 'leave', replyTo: box.address, untold: [letter] });
    });
    const post = (letter: ToReader): void => {
      mailboxes.post(organisationId, address, JSON.stringify(letter)).catch(() => undefined);
    };
    post({ kind: 'join', replyTo: box.address });
    return (untold) => {
      post({ kind: 'leave', replyTo: box.address, untold: untold.map((bytes) => bytes.toString('utf8')) });
      const takeLate = (): Promise<void> => box.fetch().catch(() => undefined);
      setTimeout(() => void takeLate().then(() => box.close()), LATE_MS).unref();
    };
  }
}

function add(stream: GeneralStream, hearer: Hearer): Leave {
  stream.add(hearer);
  return (untold) => stream.remove(hearer, untold);
}

function serverKey({ organisationId, server }: Upstream): string {
  return `${organisationId}/${server.id}/${server.generation}`;
}

/** Session ids are secrets between us and the server: their digest will do. */
function recordKey({ organisationId, server }: Upstream, { id, instance }: LocatedSession): string {
  const digest = createHash('sha256')
    .update(`${instance ?? ''} ${id ?? ''}`)
    .digest('base64url');
  return `${organisationId}/general-stream/${server.id}/${digest}`;
}
