import { randomBytes } from 'node:crypto';
import type { LaunchSpec } from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import { asAnswerTo, digestOf, ofShared, ownInitialize, resultOf } from './initialize.ts';
import { JointProcesses, type Started } from './joint-processes.ts';
import { isLaunchSpec, type LaunchSpecs } from './launch-specs.ts';
import type { ProcessPool } from './pool.ts';
import type { Incoming } from './process/exchange.ts';
import { declaredCapabilities } from './process/member.ts';
import { titleOf } from './process/title-of.ts';
import { ServerProcess, type ServerKey } from './process/server-process.ts';
import type { Session } from './session.ts';
import { SessionStreams } from './streams/session-streams.ts';

/** Whose `initialize` it is. `principal`: empty for the control plane, and where nobody has a process of their own. */
export type Opening = { readonly key: ServerKey; readonly generation: string; readonly principal: string; readonly isDiscovery: boolean };

/** What is registered of an opening: who may be asked what, and whether it is a client at all. */
type Joining = { readonly capabilities: ReadonlySet<string>; readonly isDiscovery: boolean };

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
/** A request whose answer nobody has waited for so long is cancelled; people take their time to answer what a server asks. */
const UNREAD_MS = 30 * 60_000;
const NO_CAPABILITIES: ReadonlySet<string> = new Set();
const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

/** Opens, finds and ends sessions, each on a process of its own or on the one its server shares. */
export class StdioHost {
  readonly #options: HostOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #joint = new JointProcesses();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** Answers an `initialize`: the first use of a server starts it. */
  async open({ generation, isDiscovery, key, principal }: Opening, incoming: Incoming): Promise<Opened | Refusal> {
    const spec = await this.#options.specs.get(key, generation);
    if (!isLaunchSpec(spec)) return spec;
    this.#options.pool.retireOthers(key, generation);
    const capabilities = declaredCapabilities(incoming.bytes, incoming.message);
    switch (spec.isolation) {
      case 'session':
        return this.#openAlone(key, spec, { incoming, capabilities, isDiscovery });
      case 'principal': {
        // Clients that declared different things cannot be told apart by the process: each kind has one.
        const name = `${nameOf(key, spec)}/${principal}/${digestOf(incoming)}`;
        const joined = await this.#joint.join(name, () => this.#startJoint(key, spec, incoming));
        return 'code' in joined
          ? joined
          : this.#register(joined.process, asAnswerTo(incoming, joined.result), { capabilities, isDiscovery });
      }
      case 'shared': {
        const joined = await this.#joint.join(nameOf(key, spec), () => this.#startJoint(key, spec, ownInitialize(this.#options.version)));
        if ('code' in joined) return joined;
        return this.#register(joined.process, asAnswerTo(incoming, ofShared(joined.result)), {
          capabilities: NO_CAPABILITIES,
          isDiscovery,
        });
      }
    }
  }

  /** The session of this id on exactly this server; null when it does not exist or has ended. */
  find(key: ServerKey, sessionId: string): Session | null {
    const session = this.#sessions.get(sessionId);
    if (session === undefined || session.process.state !== 'ready') return null;
    const { organisationId, serverId } = session.process.key;
    if (organisationId !== key.organisationId || serverId !== key.serverId) return null;
    this.touch(session);
    return session;
  }

  /** Marks the end of a request: idleness counts from here. */
  touch(session: Session): void {
    session.lastUsedAtMs = this.#options.clock.nowMs();
    if (session.isDiscovery) session.process.readAtMs = session.lastUsedAtMs;
    else session.process.lastUsedAtMs = session.lastUsedAtMs;
  }

  /** Ends a session and what is in flight in it; a process of its own ends with it. */
  end(session: Session): void {
    const { process: running } = session;
    this.#sessions.delete(session.id);
    running.sessions.delete(session.id);
    running.exchange.leave(session.id, refusal('session.gone', 'It was ended while this request was being answered.'));
    session.streams.close();
    if (session.isDiscovery) running.readAtMs = 0;
    if (running.spec.isolation === 'session') this.#options.pool.end(running, 'its session ended');
    else if (running.sessions.size === 0 && !running.hasClients) this.#options.pool.end(running, 'its lists were read');
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
      session.streams.sweep();
      session.process.exchange.giveUpUnread(nowMs - UNREAD_MS);
      // Somebody who listens is there, though silent. What all share is nobody's: it starts anew at the next use.
      if (session.streams.general.isAttended && session.process.spec.isolation !== 'shared') this.touch(session);
      const unused = nowMs - session.lastUsedAtMs >= this.#options.idleMs;
      if (unused && session.process.exchange.inFlightOf(session.id) === 0) this.end(session);
    }
    this.#options.pool.sweep();
  }

  /** Ends the streams that wait for whatever comes: they would keep a host that stops from ending. */
  hangUp(): void {
    for (const { streams } of this.#sessions.values()) streams.general.hangUp();
  }

  /** To be called when a process is gone: its sessions are too. */
  forgetProcess(running: ServerProcess): void {
    for (const id of running.sessions) {
      this.#sessions.get(id)?.streams.close();
      this.#sessions.delete(id);
    }
    running.sessions.clear();
    this.#joint.forget(running);
  }

  async #openAlone(
    key: ServerKey,
    spec: LaunchSpec,
    { incoming, ...joining }: Joining & { readonly incoming: Incoming },
  ): Promise<Opened | Refusal> {
    const { pool, startTimeoutMs } = this.#options;
    const started = await pool.start(key, spec);
    if (!(started instanceof ServerProcess)) return started;
    const answer = await started.initialise(incoming, startTimeoutMs);
    if (!Buffer.isBuffer(answer)) return answer;
    if (resultOf(answer) === null) {
      pool.end(started, 'it refused to initialize');
      return { sessionId: null, answer };
    }
    return this.#register(started, answer, joining);
  }

  /** A process that several sessions will use: the host itself tells it that it is initialised. */
  async #startJoint(key: ServerKey, spec: LaunchSpec, initialize: Incoming): Promise<Started | Refusal> {
    const { pool, startTimeoutMs } = this.#options;
    const started = await pool.start(key, spec);
    if (!(started instanceof ServerProcess)) return started;
    const answer = await started.initialise(initialize, startTimeoutMs);
    if (!Buffer.isBuffer(answer)) return answer;
    const result = resultOf(answer);
    if (result === null) {
      pool.end(started, 'it refused to initialize');
      return refusal('stdio.start_failed', `${titleOf(spec)} refused to initialize: ${answer.toString('utf8', 0, 500)}`);
    }
    started.tell(INITIALIZED);
    return { process: started, result };
  }

  #register(running: ServerProcess, answer: Buffer, { capabilities, isDiscovery }: Joining): Opened | Refusal {
    if (running.state !== 'ready') return refusal('upstream.unreachable', `${titleOf(running.spec)} ended while it was being opened.`);
    const id = randomBytes(SESSION_ID_BYTES).toString('base64url');
    const streams = new SessionStreams(this.#options.clock);
    const session = { id, process: running, streams, isDiscovery, lastUsedAtMs: 0 };
    this.touch(session);
    this.#sessions.set(id, session);
    running.sessions.add(id);
    if (!isDiscovery) running.hasClients = true;
    running.exchange.join({ id, capabilities, pass: (message, kind) => streams.general.append(message, kind) });
    return { sessionId: id, answer };
  }
}

function nameOf({ organisationId, serverId }: ServerKey, { generation }: LaunchSpec): string {
  return `${organisationId}/${serverId}/${generation}`;
}
