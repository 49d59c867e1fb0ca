import { Announcement, PODS, type OrganisationId } from '@patchbay/contracts';
import type { Bus, Directory } from '@patchbay/ports';
import type { ControlPlane } from '../directory/control-plane.ts';
import { within } from '../directory/within.ts';
import type { ChangeListener } from './changes.ts';
import type { SnapshotCounters } from './counters.ts';
import type { SnapshotDisk } from './disk.ts';
import type { Floors } from '../pod/floors.ts';
import type { PodReporter } from '../pod/reporter.ts';
import type { Clock, Log } from './log.ts';
import { isAfter, type Position } from './position.ts';
import type { Staleness } from './staleness.ts';
import type { SnapshotStore } from './store.ts';
import type { Verifier } from './verify.ts';

/** Keeps loaded organisations current: from the bus at once, by comparison every 10 s and after each gap. */
export type Subscriber = {
  /** Resolves after the first comparison, whatever it found; goes on subscribing until it succeeds. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** One comparison with the control plane, else with the stores. */
  compare(): Promise<void>;
  /** When the control plane was last asked for all positions, answered, and the disk holds to them; by the monotonic clock, null when never. */
  comparedAtMs(): number | null;
};

export type SubscriberDeps = {
  readonly bus: Bus;
  readonly directory: Directory;
  readonly disk: SnapshotDisk;
  readonly controlPlane: ControlPlane;
  readonly store: SnapshotStore;
  readonly changes: ChangeListener;
  readonly staleness: Staleness;
  readonly verifier: Verifier;
  readonly counters: SnapshotCounters;
  readonly floors: Floors;
  readonly reporter: PodReporter;
  readonly clock: Clock;
  readonly log: Log;
};

const RECOMPARE_MS = 1_000;
const RESUBSCRIBE_MS = 1_000;
const STORE_TIMEOUT_MS = 1_000;

export function makeSubscriber(deps: SubscriberDeps): Subscriber {
  const { bus, clock, directory, disk, controlPlane, floors, reporter, store, changes, staleness, verifier, counters, log } = deps;
  let subscription: { close(): Promise<void> } | null = null;
  let interval: NodeJS.Timeout | null = null;
  let retry: NodeJS.Timeout | null = null;
  let soon: NodeJS.Timeout | null = null;
  let comparing: Promise<void> | null = null;
  let comparedAtMs: number | null = null;
  let stopped = false;

  async function onMessage(message: string): Promise<void> {
    const opened = await verifier.open('announcement', Announcement, message);
    if (!opened.ok) {
      counters.refused[opened.why] += 1;
      log.warn({ reason: opened.why }, 'an announcement was refused');
      return;
    }
    counters.announcements += 1;
    const { organisationId, epoch, revision, invalidations, published } = opened.value;
    changes.invalidated(organisationId, invalidations);
    const raised = floors.raise(organisationId, { epoch, revision });
    const organisation = store.byId(organisationId);
    if (organisation !== undefined) return published ? organisation.want({ epoch, revision }) : organisation.expect({ epoch, revision });
    store.forgetUnknown();
    if (raised && (await disk.raise([{ organisationId, epoch, revision }]))) sayNotLoaded(organisationId, { epoch, revision });
  }

  /** What is not loaded will not be loaded below this, also after a kill. */
  function sayNotLoaded(organisationId: OrganisationId, position: Position): void {
    if (store.byId(organisationId) === undefined) reporter.acknowledge(organisationId, position, false);
  }

  /** What a control plane said: `news` when it knows that this pod goes on, and then all is known as of `beganAtMs`. */
  async function compareWithControlPlane(beganAtMs: number): Promise<'news' | 'not reported' | 'away'> {
    // Before anything else: a control plane reckons with this pod until the budget has passed since it last heard of it.
    const reported = await reporter.post();
    const askedAtMs = clock.monotonicMs();
    const asked = await controlPlane.revisions();
    if (asked.kind !== 'found') return 'away';
    const outdated: (Position & { readonly organisationId: OrganisationId })[] = [];
    for (const position of asked.value.organisations) {
      const organisation = store.byId(position.organisationId);
      const isNews = floors.raise(position.organisationId, position);
      if (isNews || (organisation !== undefined && isAfter(position, organisation.current()))) outdated.push(position);
      if (reported) organisation?.newestWas(position, beganAtMs);
      else organisation?.want(position);
    }
    await promise(outdated, askedAtMs);
    return reported ? 'news' : 'not reported';
  }

  /** Before anybody counts on it that nothing below is loaded. Not said of all that exists when this pod has just come. */
  async function promise(outdated: readonly (Position & { readonly organisationId: OrganisationId })[], askedAtMs: number): Promise<void> {
    if (!(await disk.raise(outdated))) {
      log.error({}, 'the disk does not take which positions are outdated; control planes wait for this pod');
      return;
    }
    if (comparedAtMs !== null)
      for (const { organisationId, epoch, revision } of outdated) sayNotLoaded(organisationId, { epoch, revision });
    comparedAtMs = askedAtMs;
  }

  /** Whether the stores were read to their end: each organisation's manifest, or, with none loaded, anything at all. */
  async function compareWithStores(beganAtMs: number, { trust }: { trust: boolean }): Promise<boolean> {
    const organisations = store.all();
    if (organisations.length === 0)
      return within(
        directory.getOrganisation('default').then(() => true),
        STORE_TIMEOUT_MS,
        false,
      );
    const read = await Promise.all(
      organisations.map(async (organisation) => {
        const isRead = await organisation.compare();
        if (isRead && trust) organisation.known({ atMs: beganAtMs, onTrust: true });
        return isRead;
      }),
    );
    return read.every(Boolean);
  }

  function compare(): Promise<void> {
    comparing ??= compareOnce().finally(() => {
      comparing = null;
    });
    return comparing;
  }

  async function compareOnce(): Promise<void> {
    const beganAtMs = clock.monotonicMs();
    try {
      const said = await compareWithControlPlane(beganAtMs);
      if (said === 'news') staleness.news(beganAtMs);
      else {
        // What they have is caught up with. It may repeat what was: it counts only while no control plane can say otherwise.
        const isAway = said === 'away';
        const isRead = await compareWithStores(beganAtMs, { trust: isAway });
        if (isRead && isAway) staleness.trusted(beganAtMs);
        if (!isRead || staleness.exceeded()) compareSoon();
      }
    } catch (error) {
      log.error({ err: error }, 'comparing revisions failed');
    }
    store.dropIdle();
  }

  /** Nobody tells a pod that the control plane is back; one that is not ready asks more often. */
  function compareSoon(): void {
    log.warn(
      { lastNewsAtMs: staleness.lastNewsAtMs() },
      'no control plane takes our report, and the stores cannot be read or do not suffice',
    );
    if (soon !== null) clearTimeout(soon);
    if (!stopped) soon = setTimeout(() => void compare(), RECOMPARE_MS);
  }

  /** Revisions alone would not show that one was published again. */
  async function afterGap(): Promise<void> {
    await compare();
    await Promise.all(store.all().map((organisation) => organisation.compare())).catch((error: unknown) =>
      log.error({ err: error }, 'comparing revisions failed'),
    );
  }

  async function subscribe(): Promise<void> {
    try {
      const listener = {
        onMessage: (message: string) =>
          void onMessage(message).catch((error: unknown) => log.error({ err: error }, 'an announcement could not be handled')),
        onGap: () => void afterGap(),
      };
      const made = await bus.subscribe('revisions', listener);
      if (stopped) await made.close();
      else subscription = made;
    } catch (error) {
      if (stopped) return;
      log.warn({ err: error }, 'the bus cannot be reached; trying again');
      retry = setTimeout(() => void subscribe(), RESUBSCRIBE_MS);
      return;
    }
    // What was announced before the subscription stood.
    if (!stopped) await compare();
  }

  return {
    compare,
    comparedAtMs: () => comparedAtMs,
    async start() {
      interval = setInterval(() => void compare(), PODS.compareEveryMs);
      void subscribe();
      await compare();
    },
    async stop() {
      stopped = true;
      if (interval !== null) clearInterval(interval);
      if (retry !== null) clearTimeout(retry);
      if (soon !== null) clearTimeout(soon);
      await subscription?.close();
      await comparing;
    },
  };
}
