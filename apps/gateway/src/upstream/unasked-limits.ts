import type { ServerId } from '@patchbay/contracts';
import type { ScannedMessage } from '@patchbay/mcp-wire';
import type { Refused } from './asking/takes-no-requests.ts';
import { notify } from './open-session.ts';
import type { Upstream } from './upstreams.ts';
import type { LocatedSession } from './ways.ts';

/** What a server says without being asked. */
export type Unasked = 'notifications' | 'requests';

/** How often one server may, a minute, on one pod. */
export type UnaskedPerMinute = Readonly<Record<Unasked, number>>;

/** Whose words they are; the organisation by its slug, for metrics. */
export type Speaker = { readonly organisationSlug: string; readonly server: { readonly id: ServerId; readonly slug: string } };

type Minute = { endsAtMs: number; notifications: number; requests: number };

/** Far above what calls in flight report and people can be asked; docs/architecture/trust-boundaries.md names them. */
export const UNASKED_PER_MINUTE: UnaskedPerMinute = { notifications: 60_000, requests: 600 };
const MINUTE_MS = 60_000;
const SERVERS_MAX = 10_000;

/** What a server is told whose request is one too many. */
const TOO_MANY: Refused = { code: -32600, message: 'This server asks more in a minute than it may. Try again in a minute.' };

/** Counts what servers say unasked, by the minute. Costs a call nothing that they do not interrupt, and allocates nothing for what they say. */
export class UnaskedLimits {
  readonly #perMinute: UnaskedPerMinute;
  readonly #exceeded: (speaker: Speaker, what: Unasked) => void;
  readonly #nowMs: () => number;
  readonly #minutes = new Map<ServerId, Minute>();

  /** `exceeded` is told of each message that is one too many. */
  constructor(perMinute: UnaskedPerMinute, exceeded: (speaker: Speaker, what: Unasked) => void, nowMs = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#exceeded = exceeded;
    this.#nowMs = nowMs;
  }

  /** Whether it may say this. Responses were asked for. */
  admits(speaker: Speaker, { kind }: Pick<ScannedMessage, 'kind'>): boolean {
    if (kind === 'response') return true;
    const what = kind === 'request' ? 'requests' : 'notifications';
    const minute = this.#minuteOf(speaker.server.id);
    minute[what] += 1;
    if (minute[what] <= this.#perMinute[what]) return true;
    this.#exceeded(speaker, what);
    return false;
  }

  #minuteOf(server: ServerId): Minute {
    const nowMs = this.#nowMs();
    const known = this.#minutes.get(server);
    if (known !== undefined) {
      if (nowMs >= known.endsAtMs) Object.assign(known, { endsAtMs: nowMs + MINUTE_MS, notifications: 0, requests: 0 });
      return known;
    }
    if (this.#minutes.size >= SERVERS_MAX) this.#forgetQuiet(nowMs);
    const minute = { endsAtMs: nowMs + MINUTE_MS, notifications: 0, requests: 0 };
    this.#minutes.set(server, minute);
    return minute;
  }

  #forgetQuiet(nowMs: number): void {
    for (const [server, { endsAtMs }] of this.#minutes) if (endsAtMs <= nowMs) this.#minutes.delete(server);
  }
}

/** What a server is told of a message that is one too many; null: nothing. */
export function answerToTooMany({ kind, method }: Pick<ScannedMessage, 'kind' | 'method'>): Refused | null {
  // Answering a flood of pings would make it ours.
  return kind === 'request' && method !== 'ping' ? TOO_MANY : null;
}

/** Whether a message of a server's is carried further; a request that is one too many is answered. `session` null: it has none to be answered in. */
export function admitUnasked(upstream: Upstream, session: LocatedSession | null, message: ScannedMessage): boolean {
  if (upstream.unasked.admits(upstream, message)) return true;
  const error = session === null ? null : answerToTooMany(message);
  if (session !== null && error !== null) void notify(upstream, session, JSON.stringify({ jsonrpc: '2.0', id: message.id, error }));
  return false;
}
