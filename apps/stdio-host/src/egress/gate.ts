import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { type AddressPolicy, createDialer } from '@patchbay/egress';

/** Whatever our TMPDIR is: a sandbox has a /tmp of its own, so that only the server that is shown a gate sees it. */
const PLACE = '/tmp';
const PREFIX = 'patchbay-egress-';
const CONNECTIONS_MAX = 128;
const CONNECT_TIMEOUT_MS = 10_000;
/** The line that names a target comes at once, from our own relay. */
const LINE_BYTES_MAX = 300;
const LINE_WITHIN_MS = 5_000;

export type GateOptions = {
  /** `host:port` each; nothing else is dialled, whoever asks. */
  readonly targets: readonly string[];
  readonly policy: AddressPolicy;
  /** For people: a connection that was not made. */
  readonly refused: (why: string) => void;
};

/** The way out of one sandbox: a socket file, at which a connection says which target it is for (security.md §7). */
export class EgressGate {
  /** To be shown to the sandbox, with nothing else in it. */
  readonly directory: string;
  readonly #options: GateOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #dial: ReturnType<typeof createDialer>;

  /** Listens from its construction on. */
  constructor(options: GateOptions) {
    this.#options = options;
    // Short, because the name of a socket file has at most 107 bytes.
    this.directory = mkdtempSync(join(PLACE, `${PREFIX}${process.pid}-`));
    this.#dial = createDialer({ policy: () => options.policy, connectTimeoutMs: CONNECT_TIMEOUT_MS });
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#take(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('error', ({ message }) => options.refused(`its way out does not work: ${message}`));
    this.#server.listen(this.socketPath);
  }

  get socketPath(): string {
    return join(this.directory, 's');
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Of hosts that were killed. */
  static removeLeft(): void {
    for (const name of existsSync(PLACE) ? readdirSync(PLACE) : []) {
      const pid = name.startsWith(PREFIX) ? /^\d+/.exec(name.slice(PREFIX.length))?.[0] : undefined;
      if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(PLACE, name), { recursive: true, force: true });
    }
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(LINE_WITHIN_MS, () => socket.destroy());
    let line = '';
    const read = (chunk: Buffer): void => {
      const at = chunk.indexOf('\n');
      line += chunk.toString('latin1', 0, at === -1 ? chunk.length : at);
      if (line.length > LINE_BYTES_MAX) socket.destroy();
      if (at === -1) return;
      socket.off('data', read);
      socket.pause();
      socket.setTimeout(0);
      if (at + 1 < chunk.length) socket.unshift(chunk.subarray(at + 1));
      this.#connect(socket, line);
    };
    socket.on('data', read);
  }

  #connect(socket: Socket, target: string): void {
    if (!this.#options.targets.includes(target)) {
      this.#options.refused(`a connection to ${target}, which its registration does not name`);
      socket.destroy();
      return;
    }
    const [hostname = '', port = ''] = target.split(':');
    this.#dial({ hostname, port, protocol: 'http:' }, (error, dialled) => {
      // On an error undici hands over no socket at all.
      const outside = error === null ? dialled : null;
      if (outside === null || socket.destroyed) {
        if (error !== null) this.#options.refused(`a connection to ${target}: ${error.message}`);
        socket.destroy();
        outside?.destroy();
        return;
      }
      this.#sockets.add(outside);
      outside.on('close', () => this.#sockets.delete(outside));
      pipeline(socket, outside, () => undefined);
      pipeline(outside, socket, () => undefined);
    });
  }
}
