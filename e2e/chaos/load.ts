import { AsyncLocalStorage } from 'node:async_hooks';
import { type AnyClient, connect, REVISIONS, textOf } from '../support/clients.ts';
import type { Call, Outcome, ServerName } from './model.ts';

export type LoadOptions = {
  /** `/{org}/mcp`, or one server's endpoint. */
  readonly mcpUrl: (server?: string) => string;
  readonly token: string;
  readonly callsPerSecond: number;
  /** A client gives a call up after this long. */
  readonly timeoutMs: number;
};

const SERVERS: readonly ServerName[] = ['old', 'new', 'notes', 'limited'];
/** One client after another is replaced by a new one this often. */
const RENEW_EVERY_MS = 1_500;
/** Which call a request belongs to: the balancer is told, so that a call can be followed to its gateway. */
const callInProgress = new AsyncLocalStorage<string>();

const tellingFetch: typeof fetch = (input, init) => {
  const headers = new Headers(init?.headers);
  headers.set('chaos-call', callInProgress.getStore() ?? 'none');
  return fetch(input, { ...init, headers });
};

/** Calls at a steady pace, whatever becomes of them, by official clients of both eras, on the aggregated endpoint and on one server's own. */
export class Load {
  readonly calls: Call[] = [];
  readonly #options: LoadOptions;
  readonly #seats: readonly Seat[];
  readonly #inFlight = new Set<Promise<void>>();
  readonly #timers: NodeJS.Timeout[] = [];
  #turn = 0;
  #renewed = 0;
  #ids = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#seats = [null, 'old' as const].flatMap((server) => REVISIONS.map((how) => ({ how, server, client: null })));
  }

  /** Resolves when every client is connected; calls go on until `stop`. */
  async start(): Promise<void> {
    await Promise.all(this.#seats.map((seat) => this.#renew(seat)));
    if (this.#seats.some(({ client }) => client === null)) throw new Error(`a client could not connect: ${JSON.stringify(this.calls)}`);
    this.#timers.push(setInterval(() => this.#track(this.#next()), 1_000 / this.#options.callsPerSecond));
    this.#timers.push(setInterval(() => this.#track(this.#renew(this.#seats[this.#renewed++ % this.#seats.length]!)), RENEW_EVERY_MS));
  }

  /** Resolves when the last call has ended. */
  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#inFlight);
    for (const { client } of this.#seats) await client?.client.close().catch(() => undefined);
  }

  #track(work: Promise<void>): void {
    this.#inFlight.add(work);
    void work.finally(() => this.#inFlight.delete(work));
  }

  async #next(): Promise<void> {
    const turn = this.#turn++;
    const seat = this.#seats[turn % this.#seats.length]!;
    const server = seat.server ?? SERVERS[Math.floor(turn / this.#seats.length) % SERVERS.length]!;
    const current = seat.client;
    if (current === null) return;
    current.users += 1;
    const name = seat.server === null ? `${server}_mark` : 'mark';
    await this.#record({ kind: 'tool', client: seat.how, server }, async (id) => {
      const result = await current.client.callTool({ name, arguments: { id } }, { timeout: this.#options.timeoutMs });
      return outcomeOf(result, id);
    });
    current.users -= 1;
    closeUnused(current);
  }

  async #renew(seat: Seat): Promise<void> {
    const { mcpUrl, token } = this.#options;
    await this.#record({ kind: 'connect', client: seat.how, server: seat.server }, async () => {
      const client = await connect(seat.how, mcpUrl(seat.server ?? undefined), token, tellingFetch);
      const before = seat.client;
      seat.client = { client, users: 0, isCurrent: true };
      if (before !== null) {
        before.isCurrent = false;
        closeUnused(before);
      }
      return { kind: 'ok' };
    });
  }

  async #record(what: Pick<Call, 'kind' | 'client' | 'server'>, run: (id: string) => Promise<Outcome>): Promise<void> {
    const id = `${what.kind}-${++this.#ids}`;
    const startedAtMs = Date.now();
    const outcome = await callInProgress.run(id, () => run(id)).catch((error: unknown) => failureOf(error));
    this.calls.push({ ...what, id, startedAtMs, endedAtMs: Date.now(), outcome });
  }
}

type Seat = { readonly how: (typeof REVISIONS)[number]; readonly server: 'old' | null; client: Seated | null };
/** Replaced while calls are under way, it is closed when they have ended. */
type Seated = { readonly client: AnyClient; users: number; isCurrent: boolean };

function closeUnused({ client, isCurrent, users }: Seated): void {
  if (!isCurrent && users === 0) client.close().catch(() => undefined);
}

function outcomeOf(result: unknown, id: string): Outcome {
  const { isError, _meta } = result as { isError?: boolean; _meta?: Record<string, { code?: string } | undefined> };
  if (isError !== true) return textOf(result) === id ? { kind: 'ok' } : { kind: 'failed', reason: 'another call’s answer' };
  return byCode(_meta?.['com.patchbay/error']?.code ?? textOf(result));
}

function failureOf(error: unknown): Outcome {
  const { data, message, cause } = error as { data?: { code?: string }; message?: string; cause?: { code?: string } };
  const code = data?.code ?? /"code":"([a-z_.]+)"/.exec(message ?? '')?.[1];
  if (typeof code === 'string') return byCode(code);
  return {
    kind: 'failed',
    reason: [
      message
        ?.replace(/^Streamable HTTP error: /, '')
        .split('\n', 1)[0]
        ?.slice(0, 120),
      cause?.code,
    ]
      .filter(Boolean)
      .join(' '),
  };
}

function byCode(code: string): Outcome {
  return code === 'limit.exceeded' ? { kind: 'limited' } : { kind: 'failed', reason: code };
}
