import type { IncomingMessage, ServerResponse } from 'node:http';
import { PODS, type PodId } from '@patchbay/contracts';
import { createKeyring, messageKey } from '@patchbay/vault';
import { makeControlPlane, type InternalGet, type InternalSend } from '../../apps/gateway/dist/directory/control-plane.js';
import { HangGuard } from '../../apps/gateway/dist/directory/hang-guard.js';
import { makeAuthenticate } from '../../apps/gateway/dist/pipeline/authenticate.js';
import { CallContext } from '../../apps/gateway/dist/pipeline/context.js';
import type { CompiledSnapshot } from '../../apps/gateway/dist/snapshot/compiled.js';
import { makeState, type State } from '../../apps/gateway/dist/snapshot/make-state.js';
import type { Position } from '../../apps/gateway/dist/snapshot/position.js';
import { Disk } from './disk.ts';
import type { Random } from './random.ts';
import type { Owner } from './scheduler.ts';
import { GATEWAY_SECRET, TAG_KEY, type Organisation, type Token } from './truth.ts';
import { STALENESS_BUDGET_MS, type Mutation } from './settings.ts';
import type { World } from './world.ts';

const SEALING_KEYS = createKeyring([Buffer.alloc(32, 9)]);
const FOLDER = '/pod';
const TRUST_ENDS_WITHIN_MS = 2_000;
/** As packages/egress' fleet does: the next control plane is asked as well after this long. */
const ALSO_AFTER_MS = 400;
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** One start of a pod. */
type Life = {
  readonly owner: Owner;
  readonly state: State;
  readonly authenticate: ReturnType<typeof makeAuthenticate>;
  /** One before ended in an orderly way, and no control plane has heard of any since: none may reckon with this one. */
  readonly isAfterOrderlyEnd: boolean;
  /** A control plane has said that it took a report of this life. */
  hasReported: boolean;
  /** And then where everything stands. */
  hasCompared: boolean;
};

/** One gateway: its disk stays, its processes come and go. What it runs is the gateway's own code from the files' bytes to the admitted call. */
export class Pod {
  readonly name: string;
  readonly disk: Disk;
  /** How far its wall clock is off. */
  skewMs = 0;
  /** When a control plane last took its report, over all its lives that share a disk. Control planes reckon with it until its budget after this. */
  heardAtMs = Number.NEGATIVE_INFINITY;
  /** When it last read the stores, likewise: while no control plane answers, it goes by them. */
  storesReadAtMs = Number.NEGATIVE_INFINITY;
  /** What it served on the stores' word alone it may serve until then: a control plane was heard, and what is newer is on its way. */
  #trustEndsAtMs = Number.NEGATIVE_INFINITY;
  #endedInOrder = false;
  /** How far ahead its wall clock has been since its disk is there: what was written then looks that much newer. */
  #aheadMs = 0;
  readonly #world: World;
  readonly #mutation: Mutation;
  #life: Life | null = null;

  constructor(world: World, name: string, mutation: Mutation) {
    this.#world = world;
    this.#mutation = mutation;
    this.name = name;
    this.disk = new Disk(world.random, world.scheduler);
  }

  get isAlive(): boolean {
    return this.#life !== null;
  }

  get state(): State | null {
    return this.#life?.state ?? null;
  }

  /** The stores answered. */
  readStores(): void {
    if (this.#life === null) return;
    this.storesReadAtMs = this.#world.scheduler.nowMs;
    this.#aheadMs = Math.max(this.#aheadMs, this.skewMs);
  }

  /** Whether it goes by what the stores say of this organisation, and control planes confirm revisions without waiting for it. */
  goesByStores({ slug }: Organisation): boolean {
    if (this.#life === null) return false;
    const { nowMs } = this.#world.scheduler;
    if (nowMs < this.#trustEndsAtMs || nowMs - this.heardAtMs > STALENESS_BUDGET_MS) return true;
    if (this.#life.hasCompared) return false;
    return this.#life.isAfterOrderlyEnd || this.#life.state.status().organisations.find((each) => each.slug === slug)?.from !== 'disk';
  }

  #heardAt(ms: number): void {
    if (ms - this.heardAtMs > STALENESS_BUDGET_MS || this.#life?.hasCompared === false) this.#trustEndsAtMs = ms + TRUST_ENDS_WITHIN_MS;
    this.heardAtMs = ms;
    // The word of its end is none of a life.
    if (this.#life !== null) this.#endedInOrder = false;
    this.#aheadMs = Math.max(this.#aheadMs, this.skewMs);
  }

  /** The position below which its disk says it may not serve. */
  floorOf({ id }: Organisation): Position | null {
    return this.disk.readJson<Position>(`${FOLDER}/${id}/high-water.json`);
  }

  current({ slug }: Organisation): CompiledSnapshot | null {
    return this.#life?.state.snapshots.current(slug) ?? null;
  }

  start(): void {
    if (this.#life !== null) return;
    const { invariants, scheduler, store, trace } = this.#world;
    trace.note(`${this.name} starts`);
    // Over a restart there is the wall clock alone: set back meanwhile, it makes old news look newer, up to new.
    const newerBy = Math.max(0, this.#aheadMs - this.skewMs);
    this.heardAtMs = Math.min(scheduler.nowMs, this.heardAtMs + newerBy);
    this.storesReadAtMs = Math.min(scheduler.nowMs, this.storesReadAtMs + newerBy);
    const owner: Owner = { name: this.name, alive: true };
    scheduler.as(owner, () => {
      const clock = { nowMs: () => this.#world.wallMs() + this.skewMs, monotonicMs: () => scheduler.nowMs };
      const stores = new HangGuard(clock);
      const controlPlanes = new HangGuard(clock);
      const ports = store.portsOf(this.name, owner);
      const get: InternalGet = (path, limits) => controlPlanes.run(() => this.#ask(path, limits, null));
      const send: InternalSend = (path, body, limits) => controlPlanes.run(async () => (await this.#ask(path, limits, body)).status);
      const state = makeState(
        this.#mutation({
          ports: { bus: ports.bus, parts: stores.over(ports.parts), directory: stores.over(ports.directory) },
          controlPlane: makeControlPlane({ get, send }),
          verifier: this.#world.signatures.verifier,
          sealingKeys: SEALING_KEYS,
          folder: FOLDER,
          files: this.disk.as(owner),
          stalenessBudgetMs: STALENESS_BUDGET_MS,
          pod: { id: podId(this.#world.random), key: messageKey(GATEWAY_SECRET, PODS.keyPurpose) },
          clock,
          log: SILENT,
          listeners: [],
          cacheMax: 500,
        }),
      );
      const authenticate = makeAuthenticate({
        snapshots: state.snapshots,
        tokens: state.tokens,
        tagKey: TAG_KEY,
        clock,
        clientAddress: ({ socket }) => socket.remoteAddress ?? '',
      });
      this.#life = { owner, state, authenticate, isAfterOrderlyEnd: this.#endedInOrder, hasReported: false, hasCompared: false };
      void state.start();
    });
    invariants.podStarted(this);
  }

  kill({ losesDisk }: { losesDisk: boolean }): void {
    if (this.#life === null) return;
    this.#world.trace.note(`${this.name} is killed${losesDisk ? ', and its disk is gone' : ''}`);
    this.#life.owner.alive = false;
    this.#life = null;
    if (losesDisk) this.disk.lose();
    this.#world.invariants.podEnded(this, { losesDisk });
  }

  /** An orderly end: what is not on disk yet is written. */
  async stop(): Promise<void> {
    const life = this.#life;
    if (life === null) return;
    this.#world.trace.note(`${this.name} stops`);
    this.#life = null;
    this.#endedInOrder = true;
    // Its mark is written by the clock as it is now.
    this.#aheadMs = Math.max(this.#aheadMs, this.skewMs);
    this.#world.invariants.podEnded(this, { losesDisk: false });
    await Promise.race([this.#world.scheduler.as(life.owner, () => life.state.stop()), this.#world.scheduler.sleep(10_000)]);
    life.owner.alive = false;
  }

  /** A call with this token at this organisation's endpoint: `admitted` and by what, or the code of its refusal. */
  async call({ slug }: Organisation, { text }: Token): Promise<{ outcome: string; by: Position | null }> {
    const life = this.#life;
    if (life === null) return { outcome: 'no pod', by: null };
    const request = { rawHeaders: ['Authorization', `Bearer ${text}`], socket: { remoteAddress: '127.0.0.1' } };
    const context = new CallContext(request as unknown as IncomingMessage, {} as ServerResponse, 0);
    context.organisationSlug = slug;
    const outcome = await this.#world.scheduler.as(life.owner, () => life.authenticate(context));
    if (outcome === undefined) return { outcome: 'admitted', by: context.snapshot };
    return { outcome: typeof outcome === 'symbol' ? 'answered' : outcome.code, by: null };
  }

  /** The first control plane that answers. */
  #ask(path: string, { timeoutMs }: { timeoutMs: number }, body: object | null): Promise<{ status: number; body: Buffer }> {
    const { controlPlanes, network, scheduler } = this.#world;
    const life = this.#life;
    const work = async (controlPlane: (typeof controlPlanes)[number]): Promise<{ status: number; body: Buffer }> => {
      const answer = await controlPlane.answer(path, body);
      if (body !== null && life === this.#life) this.#heardAt(scheduler.nowMs);
      return answer;
    };
    const order = this.#world.random.chance(0.5) ? [...controlPlanes] : controlPlanes.toReversed();
    let waiting = order.length;
    return new Promise((resolve, reject) => {
      let done = false;
      const askNext = (): void => {
        const controlPlane = order.shift();
        if (controlPlane === undefined || done) return;
        const also = scheduler.plan(ALSO_AFTER_MS, askNext);
        network.request(this.name, controlPlane.place, { timeoutMs, work: () => work(controlPlane) }).then(
          (answer) => {
            done = true;
            also.cancelled = true;
            if (life !== null) {
              life.hasReported ||= body !== null;
              life.hasCompared ||= life.hasReported && path === '/internal/v1/revisions';
            }
            resolve(answer);
          },
          (error: unknown) => {
            waiting -= 1;
            also.cancelled = true;
            if (waiting === 0) reject(error instanceof Error ? error : new Error(String(error)));
            else askNext();
          },
        );
      };
      askNext();
    });
  }
}

function podId(random: Random): PodId {
  return `00000000-0000-4000-8006-${String(random.whole(0, 999_999_999_999)).padStart(12, '0')}` as PodId;
}
