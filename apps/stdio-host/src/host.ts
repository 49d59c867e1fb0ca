import { randomBytes } from 'node:crypto';
import type { LaunchSpec } from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import { scanMessage } from '@patchbay/mcp-wire';
import { isLaunchSpec, type LaunchSpecs } from './launch-specs.ts';
import type { ProcessPool } from './pool.ts';
import type { Incoming } from './process/exchange.ts';
import { resultText } from './process/rpc-text.ts';
import { ServerProcess, type ServerKey } from './process/server-process.ts';

/** One MCP session of a caller on one process. It ends with its process. */
export type Session = { readonly id: string; readonly process: ServerProcess; lastUsedAtMs: number };

/** A session and what `initialize` answered; `sessionId` is null when the server itself refused. */
export type Opened = { readonly sessionId: string | null; readonly answer: Buffer };

export type HostOptions = {
  readonly specs: LaunchSpecs;
  readonly pool: ProcessPool;
  readonly clock: { nowMs(): number };
  readonly startTimeoutMs: number;
  readonly idleMs: number;
  readonly version: string;
};

const SESSION_ID_BYTES = 32;
const SHARED_PROTOCOL_VERSION = '2025-11-25';
const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

type SharedStart = { readonly process: ServerProcess; readonly result: Buffer };

/** Opens, finds and ends sessions, each on a process of its own or on the one its server shares. */
export class StdioHost {
  readonly #options: HostOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #shared = new Map<string, Promise<SharedStart | Refusal>>();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** Answers an `initialize`: the first use of a server starts it. */
  async open(key: ServerKey, generation: string, incoming: Incoming): Promise<Opened | Refusal> {
    const spec = await this.#options.specs.get(key, generation);
    if (!isLaunchSpec(spec)) return spec;
    this.#options.pool.retireOthers(key, generation);
    return spec.isolation === 'shared' ? this.#join(key, spec, incoming) : this.#openAlone(key, spec, incoming);
  }

  /** The session of this id on exactly this server; null when it does not exist or has ended. */
  find(key: ServerKey, sessionId: string): Session | null {
    const session = this.#sessions.get(sessionId);
    if (session === undefined || session.process.state !== 'ready') return null;
    const { organisationId, serverId } = session.process.key;
    if (organisationId !== key.organisationId || serverId !== key.serverId) return null;
    session.lastUsedAtMs = session.process.lastUsedAtMs = this.#options.clock.nowMs();
    return session;
  }

  /** Marks the end of a request: idleness counts from here. */
  touch(session: Session): void {
    session.lastUsedAtMs = session.process.lastUsedAtMs = this.#options.clock.nowMs();
  }

  /** Ends a session and what is in flight in it; a process of its own ends with it. */
  end(session: Session): void {
    const { process: running } = session;
    this.#forget(session);
    running.exchange.failAll(refusal('session.gone', 'It was ended while this request was being answered.'), session.id);
    if (running.spec.isolation === 'session') this.#options.pool.end(running, 'its session ended');
  }

  /** Ends the process that the sessions of a generation share: its callers go to another host from now on. */
  endShared({ organisationId, serverId }: ServerKey, generation: string): void {
    const { pool } = this.#options;
    for (const running of pool.list()) {
      const { key, spec } = running;
      const isIt = key.organisationId === organisationId && key.serverId === serverId && spec.generation === generation;
      if (isIt && spec.isolation === 'shared' && running.state === 'ready') pool.end(running, 'another host took over');
    }
  }

  /** Drops sessions nobody has used for the idle time; processes are the pool's to sweep. */
  sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const session of this.#sessions.values()) {
      const unused = nowMs - session.lastUsedAtMs >= this.#options.idleMs;
      if (unused && session.process.exchange.inFlightOf(session.id) === 0) this.end(session);
    }
    this.#options.pool.sweep();
  }

  /** To be called when a process is gone: its sessions are too. */
  forgetProcess(running: ServerProcess): void {
    for (const id of running.sessions) this.#sessions.delete(id);
    running.sessions.clear();
    const name = sharedName(running.key, running.spec);
    const starting = this.#shared.get(name);
    void starting?.then((shared) => {
      if (!('code' in shared) && shared.process === running && this.#shared.get(name) === starting) this.#shared.delete(name);
    });
  }

  async #openAlone(key: ServerKey, spec: LaunchSpec, incoming: Incoming): Promise<Opened | Refusal> {
    const { pool, startTimeoutMs } = this.#options;
    const started = await pool.start(key, spec);
    if (!(started instanceof ServerProcess)) return started;
    const answer = await started.initialise(incoming, startTimeoutMs);
    if (!Buffer.isBuffer(answer)) return answer;
    if (resultOf(answer) === null) {
      pool.end(started, 'it refused to initialize');
      return { sessionId: null, answer };
    }
    return this.#register(started, answer);
  }

  async #join(key: ServerKey, spec: LaunchSpec, { bytes, message }: Incoming): Promise<Opened | Refusal> {
    const name = sharedName(key, spec);
    let starting = this.#shared.get(name);
    const current = await starting;
    if (current === undefined || 'code' in current || current.process.state !== 'ready') {
      // Whoever comes first after the last process ended starts the next; the others wait for the same one.
      if (this.#shared.get(name) === starting) this.#shared.set(name, this.#startShared(key, spec));
      starting = this.#shared.get(name);
    }
    const shared = await starting;
    if (shared === undefined) return refusal('internal');
    if ('code' in shared) {
      if (this.#shared.get(name) === starting) this.#shared.delete(name);
      return shared;
    }
    const idText = message.idSpan === null ? 'null' : bytes.toString('utf8', message.idSpan.start, message.idSpan.end);
    return this.#register(shared.process, resultText(idText, shared.result));
  }

  /** The host is the client here, and one without capabilities: what a server asks of its client, no session could answer for all. */
  async #startShared(key: ServerKey, spec: LaunchSpec): Promise<SharedStart | Refusal> {
    const { pool, startTimeoutMs, version } = this.#options;
    const started = await pool.start(key, spec);
    if (!(started instanceof ServerProcess)) return started;
    const answer = await started.initialise(ownInitialize(version), startTimeoutMs);
    if (!Buffer.isBuffer(answer)) return answer;
    const result = resultOf(answer);
    if (result === null) {
      pool.end(started, 'it refused to initialize');
      return refusal('stdio.start_failed', `Stdio server "${spec.slug}" refused to initialize: ${answer.toString('utf8', 0, 500)}`);
    }
    started.tell(INITIALIZED);
    return { process: started, result };
  }

  #register(running: ServerProcess, answer: Buffer): Opened | Refusal {
    if (running.state !== 'ready')
      return refusal('upstream.unreachable', `Stdio server "${running.spec.slug}" ended while it was being opened.`);
    const id = randomBytes(SESSION_ID_BYTES).toString('base64url');
    const lastUsedAtMs = (running.lastUsedAtMs = this.#options.clock.nowMs());
    this.#sessions.set(id, { id, process: running, lastUsedAtMs });
    running.sessions.add(id);
    return { sessionId: id, answer };
  }

  #forget(session: Session): void {
    this.#sessions.delete(session.id);
    session.process.sessions.delete(session.id);
  }
}

function sharedName({ organisationId, serverId }: ServerKey, { generation }: LaunchSpec): string {
  return `${organisationId}/${serverId}/${generation}`;
}

function ownInitialize(version: string): Incoming {
  const params = { protocolVersion: SHARED_PROTOCOL_VERSION, capabilities: {}, clientInfo: { name: 'patchbay-stdio-host', version } };
  const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
  const scanned = scanMessage(bytes);
  if (!scanned.ok) throw new TypeError('our own initialize is not JSON-RPC');
  return { bytes, message: scanned.message };
}

/** The result's own bytes, or null when the answer is an error. */
function resultOf(answer: Buffer): Buffer | null {
  const scanned = scanMessage(answer, { depthMax: 256, elementsMax: 5_000_000 });
  const span = scanned.ok ? scanned.message.resultSpan : null;
  return span === null ? null : Buffer.from(answer.subarray(span.start, span.end));
}
