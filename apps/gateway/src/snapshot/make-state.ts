import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { OrganisationId, PodId } from '@patchbay/contracts';
import type { Bus, Directory, Parts } from '@patchbay/ports';
import type { Keyring } from '@patchbay/vault';
import type { ControlPlane } from '../directory/control-plane.ts';
import { makeTokenDiskCache } from '../directory/disk-cache.ts';
import { makeMissBudget } from '../directory/miss-budget.ts';
import { makeTokenDirectory, type TokenDirectory } from '../directory/token-directory.ts';
import { makeFloors } from '../pod/floors.ts';
import { makePodReporter } from '../pod/reporter.ts';
import { allListeners, type ChangeListener, type SwapListener } from './changes.ts';
import { makeCounters, type RefusalReason, type SnapshotCounters } from './counters.ts';
import { makeSnapshotDisk } from './disk.ts';
import type { Files } from './files.ts';
import type { Clock, Log } from './log.ts';
import type { Position } from './position.ts';
import { makeSnapshotSource } from './source.ts';
import { makeStaleness } from './staleness.ts';
import { makeSnapshotStore, type OrganisationStatus, type SnapshotStore } from './store.ts';
import { makeSubscriber } from './subscriber.ts';
import type { Verifier } from './verify.ts';

/** Whether this pod may take calls, and where it stands. */
export type StateStatus = {
  readonly ready: boolean;
  /** null when ready. */
  readonly notReadyBecause: string | null;
  readonly lastNewsAtMs: number;
  readonly organisations: readonly OrganisationStatus[];
};

/** All that the gateway knows: snapshots and tokens, kept current from `start` to `stop`. */
export type State = {
  readonly snapshots: SnapshotStore;
  readonly tokens: TokenDirectory;
  readonly counters: SnapshotCounters;
  /** Reads the disk, compares once, subscribes. Never rejects because a store is away. */
  start(): Promise<void>;
  /** Ends the subscription and writes what is not on disk yet. */
  stop(): Promise<void>;
  status(): StateStatus;
  /** Compares now instead of within 10 s. */
  compare(): Promise<void>;
  /** Tells control planes that this pod takes no new calls. */
  drain(): void;
};

export type StateDeps = {
  readonly ports: { readonly bus: Bus; readonly parts: Parts; readonly directory: Directory };
  readonly controlPlane: ControlPlane;
  readonly verifier: Verifier;
  /** The session sealing keys. */
  readonly sealingKeys: Keyring;
  /** This gateway's own folder: `PATCHBAY_HOME/gateway`. */
  readonly folder: string;
  readonly files: Files;
  readonly stalenessBudgetMs: number;
  /** Who this process is to control planes, and the key under which it says so. */
  readonly pod: { readonly id: PodId; readonly key: KeyObject };
  readonly clock: Clock;
  readonly log: Log;
  /** Other caches that hear of invalidations, e.g. that of upstream credentials. */
  readonly listeners: readonly ChangeListener[];
  /** Told of each swap, if anybody is to be. */
  readonly swapped?: SwapListener;
  /** Upper bound of each cache, where a pod is one of many in a process. */
  readonly cacheMax?: number;
};

/** Wires everything under snapshot/ and directory/; nothing is dialled before `start`. */
export function makeState(deps: StateDeps): State {
  const { ports, controlPlane, verifier, folder, files, stalenessBudgetMs, clock, log } = deps;
  const { parts, directory } = ports;
  const bounds = deps.cacheMax === undefined ? {} : { cacheMax: deps.cacheMax };
  const counters = makeCounters();
  const misses = makeMissBudget({ clock, ...bounds });
  const staleness = makeStaleness({ clock, budgetMs: stalenessBudgetMs, files, file: join(folder, 'last-news.json') });
  const floors = makeFloors();
  const disk = makeSnapshotDisk({ folder, files, floors });
  const tokenDisk = makeTokenDiskCache({ files, file: join(folder, 'tokens.sealed'), sealingKeys: deps.sealingKeys, log });
  const tokens = makeTokenDirectory({ directory, controlPlane, disk: tokenDisk, verifier, misses, counters, clock, log, ...bounds });
  const changes = allListeners([tokens, ...deps.listeners]);
  const refused = (reason: RefusalReason): void => {
    counters.refused[reason] += 1;
  };
  const source = makeSnapshotSource({ store: parts, controlPlane, disk, verifier, refused, log });
  let draining = false;
  const reporter = makePodReporter({
    bus: ports.bus,
    controlPlane,
    key: deps.pod.key,
    podId: deps.pod.id,
    stalenessBudgetMs,
    facts: {
      state: () => (draining ? 'draining' : staleness.exceeded() ? 'not-ready' : 'ready'),
      loaded: () => snapshots.positions(),
      comparedAtMs: () => subscriber.comparedAtMs(),
    },
    clock,
    log,
  });
  const serves = (organisationId: OrganisationId, position: Position): void => reporter.acknowledge(organisationId, position, true);
  const swapped = deps.swapped ?? ((): void => undefined);
  const common = { ...bounds, directory, controlPlane, verifier, counters, clock, floors, log, changes, swapped, staleness, disk };
  const snapshots = makeSnapshotStore({ ...common, source, misses, stalenessBudgetMs, serves });
  const subscriber = makeSubscriber({ ...common, bus: ports.bus, store: snapshots, reporter });

  return {
    snapshots,
    tokens,
    counters,
    compare: subscriber.compare,
    async start() {
      await Promise.all([staleness.restore(), tokenDisk.restore()]);
      await subscriber.start();
      reporter.start();
    },
    drain() {
      draining = true;
      reporter.stateChanged();
    },
    async stop() {
      await subscriber.stop();
      await reporter.leave(() => staleness.end());
      await snapshots.close();
      await Promise.all([tokenDisk.flush(), staleness.persist()]);
    },
    status() {
      const stale = staleness.exceeded();
      return {
        ready: !stale,
        notReadyBecause: stale ? 'no news from a control plane for the staleness budget, and the stores do not make up for it' : null,
        lastNewsAtMs: staleness.lastNewsAtMs(),
        organisations: snapshots.status(),
      };
    },
  };
}
