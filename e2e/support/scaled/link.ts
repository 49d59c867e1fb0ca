import { connect, createServer, type Server, type Socket } from 'node:net';

export type Shape = { readonly delayMs?: number; readonly bytesPerSecond?: number };

/** `open`: passes. `refusing`: nobody listens, as when the target is dead. `silent`: connections stand and nothing passes, as when a cable is cut. */
export type LinkState = 'open' | 'refusing' | 'silent';

export type LinkOptions = { readonly name: string; readonly port: number; readonly targetPort: number };

/** Bytes on their way in one direction before the sender has to wait. */
const IN_FLIGHT_MAX = 4 * 1024 * 1024;

/** A TCP proxy between one program and another, to cut, delay and throttle. Refuses until it is opened. */
export class Link {
  readonly name: string;
  readonly port: number;
  readonly #targetPort: number;
  readonly #pairs = new Set<Pair>();
  #server: Server | null = null;
  #state: LinkState = 'refusing';
  #shape: Shape = {};

  constructor({ name, port, targetPort }: LinkOptions) {
    this.name = name;
    this.port = port;
    this.#targetPort = targetPort;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Lets everything pass again, also on connections that were silent. */
  async open(): Promise<void> {
    this.#state = 'open';
    await this.#listen();
    for (const pair of this.#pairs) pair.setSilent(false);
  }

  /** Nothing passes any more; connections stand, and new ones are accepted and say nothing. */
  async silence(): Promise<void> {
    this.#state = 'silent';
    await this.#listen();
    for (const pair of this.#pairs) pair.setSilent(true);
  }

  /** New connections are refused from the moment of the call. Standing ones go on: they end with the target. */
  refuseNew(): void {
    this.#state = 'refusing';
    this.#server?.close();
    this.#server = null;
  }

  /** New connections are refused and standing ones broken. */
  cut(): void {
    this.refuseNew();
    for (const pair of this.#pairs) pair.destroy();
  }

  /** From now on, in both directions; `{}` takes it back. */
  shape(shape: Shape): void {
    this.#shape = shape;
  }

  #listen(): Promise<void> {
    if (this.#server !== null) return Promise.resolve();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#accept(near));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', 4_096, resolve);
    });
  }

  #accept(near: Socket): void {
    const far = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const pair = new Pair(near, far, () => this.#shape);
    this.#pairs.add(pair);
    pair.setSilent(this.#state === 'silent');
    pair.onClose(() => this.#pairs.delete(pair));
  }
}

/** Two sockets that carry each other's bytes. */
class Pair {
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #flows: readonly Flow[];

  constructor(near: Socket, far: Socket, shape: () => Shape) {
    this.#near = near;
    this.#far = far;
    this.#flows = [new Flow(near, far, shape), new Flow(far, near, shape)];
    for (const socket of [near, far]) socket.on('error', () => this.destroy()).on('close', () => this.destroy());
  }

  setSilent(isSilent: boolean): void {
    for (const flow of this.#flows) flow.setSilent(isSilent);
  }

  onClose(done: () => void): void {
    this.#near.on('close', done);
  }

  /** A broken end breaks the other: what one side's death looks like must not become an orderly end on the way. */
  destroy(): void {
    for (const [socket, other] of [
      [this.#near, this.#far],
      [this.#far, this.#near],
    ] as const) {
      if (socket.destroyed) continue;
      if (other.errored !== null) socket.resetAndDestroy();
      else socket.destroy();
    }
  }
}

/** One direction: chunks in order, each at its time. */
class Flow {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #shape: () => Shape;
  readonly #waiting: { readonly chunk: Buffer | null; readonly dueAtMs: number }[] = [];
  #bytes = 0;
  #lastDueAtMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #isSilent = false;

  constructor(from: Socket, to: Socket, shape: () => Shape) {
    this.#from = from;
    this.#to = to;
    this.#shape = shape;
    from.on('data', (chunk: Buffer) => this.#take(chunk));
    from.on('end', () => this.#take(null));
    from.on('close', () => this.#timer !== null && clearTimeout(this.#timer));
  }

  setSilent(isSilent: boolean): void {
    this.#isSilent = isSilent;
    this.#deliver();
  }

  #take(chunk: Buffer | null): void {
    const { delayMs = 0, bytesPerSecond = Number.POSITIVE_INFINITY } = this.#shape();
    const length = chunk?.length ?? 0;
    const nowMs = performance.now();
    this.#lastDueAtMs = Math.max(nowMs + delayMs, this.#lastDueAtMs) + (length * 1000) / bytesPerSecond;
    this.#waiting.push({ chunk, dueAtMs: this.#lastDueAtMs });
    this.#bytes += length;
    if (this.#bytes > IN_FLIGHT_MAX) this.#from.pause();
    this.#deliver();
  }

  #deliver(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (!this.#isSilent && this.#waiting.length > 0) {
      const { chunk, dueAtMs } = this.#waiting[0]!;
      const waitMs = dueAtMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#deliver(), waitMs);
        return;
      }
      this.#waiting.shift();
      this.#bytes -= chunk?.length ?? 0;
      if (chunk === null) this.#to.end();
      else this.#to.write(chunk);
    }
    if (this.#bytes <= IN_FLIGHT_MAX && this.#from.isPaused()) this.#from.resume();
  }
}
