import type { Metrics } from '@patchbay/telemetry';
import type { Clock } from '../common/clock.ts';
import type { Backlog, Position } from '../prisma/index.ts';

export type Listener = 'api' | 'internal';
/** What a request was, with the route's pattern and never its address. */
export type Answered = {
  readonly listener: Listener;
  readonly method: string;
  readonly route: string | undefined;
  readonly status: number;
};
/** How looking at what one server offers ended. */
export type Discovery = 'changed' | 'unchanged' | 'failed' | 'gone';
/** How one try to sign in ended: `limited` and `overloaded` before the password was looked at. */
export type SignIn = 'ok' | 'failed' | 'limited' | 'overloaded';

/** How a gateway that may serve was last heard. */
export type PodSeen = (typeof POD_STATES)[number];
const POD_STATES = ['ready', 'not-ready', 'draining', 'not-heard-from'] as const;

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** All that the control plane counts. Holds no name but those of organisations, and of these no more than the registry's cap. */
export class Meters {
  readonly #families: ReturnType<typeof registerFamilies>;
  readonly #metrics: Metrics;
  readonly #clock: Pick<Clock, 'now'>;
  #positions: readonly Position[] = [];
  #backlog: readonly Backlog[] = [];

  constructor(metrics: Metrics, clock: Pick<Clock, 'now'>) {
    this.#metrics = metrics;
    this.#clock = clock;
    this.#families = registerFamilies(metrics);
    this.#registerPublished();
  }

  answered({ listener, method, route, status }: Answered, seconds: number): void {
    // An address that no route has is its sender's invention, and so may a method be.
    const labels = { listener, method: METHODS.has(method) ? method : 'other', route: route ?? 'none' };
    this.#families.requests.labels({ ...labels, status: `${Math.floor(status / 100)}xx` }).inc();
    this.#families.requestSeconds.labels(labels).observe(seconds);
  }

  published(result: 'ok' | 'failed', seconds: number): void {
    this.#families.publishSeconds.labels({ result }).observe(seconds);
  }

  announced(): void {
    this.#families.announcements.labels({}).inc();
  }

  /** `kind` and not `job`: that is Prometheus' own label of a target. */
  jobEnded(kind: string, result: 'done' | 'failed', seconds: number): void {
    this.#families.jobSeconds.labels({ kind, result }).observe(seconds);
  }

  /** Found among the jobs, and not run. */
  jobDropped(why: 'forged' | 'old'): void {
    this.#families.jobsDropped.labels({ reason: why }).inc();
  }

  discovered(outcome: Discovery): void {
    this.#families.discoveries.labels({ outcome }).inc();
  }

  signIn(result: SignIn): void {
    this.#families.signIns.labels({ result }).inc();
  }

  /** To be called once for each port: its failures are counted from 0 on. */
  storeFailure(port: string): () => void {
    const series = this.#families.storeErrors.labels({ port });
    return () => series.inc();
  }

  /** Counts the connections of a pool at each rendering. */
  watchPool(pool: { readonly totalCount: number; readonly idleCount: number; readonly waitingCount: number }): void {
    const name = 'patchbay_control_plane_database_connections';
    this.#metrics.read({ type: 'gauge', name, help: 'Of the pool: busy, idle; and who waits for one.', labels: ['state'] }, () => [
      [{ state: 'busy' }, pool.totalCount - pool.idleCount],
      [{ state: 'idle' }, pool.idleCount],
      [{ state: 'waiting' }, pool.waitingCount],
    ]);
  }

  /** Counts the pods that may serve, and what came of their messages, at each rendering. */
  watchPods(pods: () => readonly PodSeen[], messages: () => Readonly<Record<string, number>>): void {
    const states = {
      type: 'gauge',
      name: 'patchbay_control_plane_pods',
      help: 'Gateways that may serve, by what they last said.',
    } as const;
    this.#metrics.read({ ...states, labels: ['state'] }, () => {
      const seen = pods();
      return POD_STATES.map((state) => [{ state }, seen.filter((each) => each === state).length] as const);
    });
    const counts = {
      type: 'counter',
      name: 'patchbay_control_plane_pod_messages_total',
      help: 'Messages of pods, by what became of them.',
    } as const;
    this.#metrics.read({ ...counts, labels: ['result'] }, () =>
      Object.entries(messages()).map(([result, count]) => [{ result }, count] as const),
    );
  }

  /** Counts, at each rendering, the servers that are this control plane's to listen to. */
  watchListeners(areHeard: () => readonly boolean[]): void {
    const name = 'patchbay_control_plane_listeners';
    this.#metrics.read(
      { type: 'gauge', name, help: 'Servers that this control plane listens to, and tries to.', labels: ['state'] },
      () => {
        const [all, heard] = [areHeard(), areHeard().filter(Boolean).length];
        return [
          [{ state: 'heard' }, heard],
          [{ state: 'not-heard' }, all.length - heard],
        ];
      },
    );
  }

  /** What the publisher last found; told every few seconds. The age goes on growing while it finds nothing any more. */
  found(positions: readonly Position[], backlog: readonly Backlog[]): void {
    this.#positions = positions;
    this.#backlog = backlog;
  }

  render(): ReturnType<Metrics['render']> {
    return this.#metrics.render();
  }

  #registerPublished(): void {
    const gauge = (name: string, help: string, read: () => number): void =>
      this.#metrics.read({ type: 'gauge', name, help, labels: [] }, () => [[{}, read()]]);
    this.#metrics.read(
      { type: 'gauge', name: 'patchbay_control_plane_revision', help: 'The present revision.', labels: ['organisation'] },
      () => this.#positions.map(({ revision, slug }) => [{ organisation: slug }, revision] as const),
    );
    gauge('patchbay_control_plane_outbox_changes', 'Changes that are committed and not published.', () =>
      this.#backlog.reduce((sum, { changes }) => sum + changes, 0),
    );
    gauge('patchbay_control_plane_outbox_oldest_seconds', 'Age of the oldest change that is not published; 0: none.', () => {
      const nowMs = this.#clock.now().getTime();
      return this.#backlog.reduce((oldest, { oldestAt }) => Math.max(oldest, (nowMs - oldestAt.getTime()) / 1_000), 0);
    });
  }
}

type Families = Record<'announcements' | 'discoveries' | 'jobsDropped' | 'signIns', ReturnType<Metrics['counter']>> & {
  readonly publishSeconds: ReturnType<Metrics['histogram']>;
};

function registerFamilies(metrics: Metrics) {
  const families = {
    requests: metrics.counter({
      name: 'patchbay_control_plane_requests_total',
      help: 'Requests answered, by listener, route and class of status.',
      labels: ['listener', 'method', 'route', 'status'],
    }),
    requestSeconds: metrics.histogram({
      name: 'patchbay_control_plane_request_duration_seconds',
      help: 'From arrival to the end of the answer.',
      labels: ['listener', 'method', 'route'],
    }),
    publishSeconds: metrics.histogram({
      name: 'patchbay_control_plane_publish_duration_seconds',
      help: 'Publishing one organisation’s revision: its parts stored, its pods told.',
      labels: ['result'],
    }),
    announcements: metrics.counter({
      name: 'patchbay_control_plane_announcements_total',
      help: 'Announcements put on the bus.',
      labels: [],
    }),
    jobSeconds: metrics.histogram({
      name: 'patchbay_control_plane_job_duration_seconds',
      help: 'Jobs run here, by how they ended; a failed one may be tried again.',
      labels: ['kind', 'result'],
    }),
    jobsDropped: metrics.counter({
      name: 'patchbay_control_plane_jobs_dropped_total',
      help: 'Jobs that no control plane of ours put there within a day, and that were not run.',
      labels: ['reason'],
    }),
    discoveries: metrics.counter({
      name: 'patchbay_control_plane_discoveries_total',
      help: 'Looks at what a server offers, by how they ended.',
      labels: ['outcome'],
    }),
    signIns: metrics.counter({ name: 'patchbay_control_plane_sign_ins_total', help: 'Tries to sign in, by result.', labels: ['result'] }),
    storeErrors: metrics.counter({
      name: 'patchbay_control_plane_store_errors_total',
      help: 'Calls to the stores that failed, by port.',
      labels: ['port'],
    }),
  };
  fromZero(families);
  return families;
}

/** Series that alerts look at are there before the first event. */
function fromZero({ announcements, discoveries, signIns, jobsDropped, publishSeconds }: Families): void {
  announcements.labels({});
  for (const outcome of ['changed', 'unchanged', 'failed', 'gone']) discoveries.labels({ outcome });
  for (const result of ['ok', 'failed', 'limited', 'overloaded']) signIns.labels({ result });
  for (const reason of ['forged', 'old']) jobsDropped.labels({ reason });
  for (const result of ['ok', 'failed']) publishSeconds.labels({ result });
}
