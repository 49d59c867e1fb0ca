import type { LaunchSpec } from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import type { Carrier, OpenCarrier } from './carrier.ts';
import { Exchange, type Incoming } from './exchange.ts';
import { titleOf } from './title-of.ts';
import { OutputTail } from './output-tail.ts';

/** Which server of which organisation; both are UUIDs, checked at the edge. */
export type ServerKey = { readonly organisationId: string; readonly serverId: string };

export type ServerProcessOptions = {
  readonly key: ServerKey;
  readonly spec: LaunchSpec;
  readonly open: OpenCarrier;
  readonly clock: { nowMs(): number };
  /** Once; `crash` tells whether nobody had asked it to stop, and in which state it was. */
  readonly onGone: (process: ServerProcess, crash: 'starting' | 'ready' | null) => void;
  /** It told its clients that a list of its changed. */
  readonly onListChanged: (process: ServerProcess) => void;
};

/** What programs write that find no network. */
const NO_NETWORK = /EAI_AGAIN|ENOTFOUND|ENETUNREACH|network is unreachable|name resolution|could not resolve/i;
/** A request the host makes itself belongs to no session. */
const HOST_SESSION = '';

/** One process of a stdio server, from its start to its end. A process that has ended is never started again: a new one is. */
export class ServerProcess {
  readonly key: ServerKey;
  readonly spec: LaunchSpec;
  readonly tail: OutputTail;
  readonly exchange: Exchange;
  readonly startedAtMs: number;
  readonly sessions = new Set<string>();
  /** By a client: that its lists are read is no use of it. */
  lastUsedAtMs: number;
  /** When it was last asked for its lists, while that goes on; else 0. */
  readAtMs = 0;
  /** Whether it has ever served anybody but the control plane. */
  hasClients = false;
  state: 'starting' | 'ready' | 'stopping' | 'gone' = 'starting';
  /** Once it is gone: whether we had to kill it, and how it came about. */
  wasKilled = false;
  ended = '';
  /** When a newer generation took over: this one takes no new sessions. */
  retiredAtMs: number | null = null;
  readonly #carrier: Carrier;
  readonly #onGone: ServerProcessOptions['onGone'];
  #startFailure: string | null = null;

  constructor({ key, spec, open, clock, onGone, onListChanged }: ServerProcessOptions) {
    this.key = key;
    this.spec = spec;
    this.#onGone = onGone;
    this.startedAtMs = this.lastUsedAtMs = clock.nowMs();
    this.tail = new OutputTail(spec.dial === null ? spec.env : spec.dial.headers);
    this.exchange = new Exchange({
      isolation: spec.isolation,
      title: titleOf(spec),
      tail: this.tail,
      send: (line) => this.#carrier.send(line),
      // What it says to the control plane alone would only have its lists read again.
      onListChanged: () => this.hasClients && onListChanged(this),
    });
    this.#carrier = open({
      tail: this.tail,
      onMessage: (line) => this.exchange.receive(line),
      onGone: (how, killed) => this.#gone(how, killed),
    });
  }

  /** Whether further sessions may use it. */
  get takesSessions(): boolean {
    return this.state === 'ready' && this.retiredAtMs === null;
  }

  get pid(): number {
    return this.#carrier.pid;
  }

  /** Sends the first `initialize` and waits for its answer; a refusal names the server and ends the process. */
  async initialise(incoming: Incoming, timeoutMs: number): Promise<Buffer | Refusal> {
    const answer = await new Promise<Buffer | Refusal>((resolve) => {
      const timer = setTimeout(() => {
        this.#startFailure = `it did not answer initialize within ${timeoutMs / 1_000} s`;
        resolve(this.#startFailed());
        void this.stop();
      }, timeoutMs);
      const done = (result: Buffer | Refusal) => {
        clearTimeout(timer);
        resolve(result);
      };
      const abandon = () => done(this.#startFailed());
      this.exchange.request(HOST_SESSION, incoming, { unreadSinceMs: null, pass: () => undefined, finish: done, fail: abandon, abandon });
    });
    if (Buffer.isBuffer(answer) && this.state === 'starting') this.state = 'ready';
    return answer;
  }

  /** Sends a notification of the host's own. */
  tell(line: string): void {
    this.#carrier.send(line);
  }

  /** In order (see Carrier.stop); what is in flight is answered with an error that names the server. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.state === 'starting' || this.state === 'ready') this.state = 'stopping';
    this.exchange.failAll(refusal('upstream.unreachable', `${titleOf(this.spec)} was stopped.`));
    await this.#carrier.stop();
  }

  #gone(how: string, killed: boolean): void {
    this.wasKilled = killed;
    this.ended = how;
    const crash = this.state === 'starting' || this.state === 'ready' ? this.state : null;
    if (crash === 'starting') this.#startFailure ??= how;
    const failedToStart = this.#startFailure !== null ? 'starting' : null;
    this.state = 'gone';
    this.exchange.failAll(refusal('upstream.unreachable', `${titleOf(this.spec)} ended: ${how}.`));
    this.#onGone(this, crash ?? failedToStart);
  }

  #startFailed(): Refusal {
    const said = this.tail.summary();
    const why = this.#startFailure ?? 'it ended before it answered initialize';
    const hint = NO_NETWORK.test(said) ? ' It reaches nothing but what its registration names in "egress".' : '';
    const detail = `${titleOf(this.spec)}: ${why}.${hint}${said === '' ? '' : ` It wrote: ${said}`}`;
    return refusal('stdio.start_failed', detail);
  }
}
