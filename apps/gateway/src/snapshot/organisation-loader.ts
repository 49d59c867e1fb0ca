import { LRUCache } from 'lru-cache';
import { OrganisationEntry, OrganisationSlug, type OrganisationId } from '@patchbay/contracts';
import type { Directory } from '@patchbay/ports';
import type { ControlPlane } from '../directory/control-plane.ts';
import { within } from '../directory/within.ts';
import type { Floors } from '../pod/floors.ts';
import type { SnapshotCounters } from './counters.ts';
import type { SnapshotDisk } from './disk.ts';
import type { Clock, Log } from './log.ts';
import type { Organisation } from './organisation.ts';
import type { Verifier } from './verify.ts';

/** `unknown`: known not to exist. `unavailable`: nobody can say, or its state is nowhere to be had. */
export type Loaded =
  | { readonly kind: 'loaded'; readonly organisation: Organisation }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unavailable' };

/** Loads an organisation by its slug, and has it held. One flight per slug; never rejects. */
export type OrganisationLoader = {
  load(slug: string): Loaded | Promise<Loaded>;
  /** The load that is under way, which costs whoever joins it nothing. */
  underWay(slug: string): Promise<Loaded> | undefined;
  /** A new organisation may exist: what was said to be unknown is asked again. */
  forgetUnknown(): void;
  /** Those that are on their way, by id. */
  loading(): ReadonlySet<OrganisationId>;
};

export type OrganisationLoaderDeps = {
  readonly directory: Directory;
  readonly controlPlane: ControlPlane;
  readonly disk: SnapshotDisk;
  readonly verifier: Verifier;
  readonly counters: SnapshotCounters;
  readonly clock: Clock;
  readonly log: Log;
  readonly floors: Floors;
  readonly cacheMax?: number;
  /** Serves it from now on. False: more is known to exist by now, and this pod has said that it will not serve less. */
  hold(organisation: Organisation): boolean;
  open(identity: { id: OrganisationId; slug: string }): Organisation;
};

const UNKNOWN_MAX = 10_000;
const UNKNOWN_FOR_MS = 2_000;
const STORE_TIMEOUT_MS = 1_000;
/**
 * Pauses between attempts: what is known to exist may be published in a moment, a control plane that is being restarted answers through another,
 * and a manifest's parts may be gone for those of the next. A call waits rather than being refused for that.
 */
const RETRY_MS = [10, 20, 50, 100, 200, 400, 800];
const NOTHING = { entry: null, position: null } as const;
const UNKNOWN = { kind: 'unknown' } as const;
const UNAVAILABLE = { kind: 'unavailable' } as const;

export function makeOrganisationLoader(deps: OrganisationLoaderDeps): OrganisationLoader {
  const { directory, controlPlane, disk, floors, verifier, counters, clock, hold, log, open, cacheMax = UNKNOWN_MAX } = deps;
  const unknownUntilMs = new LRUCache<string, number>({ max: cacheMax });
  const flights = new Map<string, Promise<Loaded>>();
  const loading = new Set<OrganisationId>();

  async function accept(slug: string, jws: string | null): Promise<OrganisationId | null> {
    if (jws === null) return null;
    const opened = await verifier.open('organisationEntry', OrganisationEntry, jws);
    if (opened.ok && opened.value.slug === slug) return opened.value.organisationId;
    counters.refused[opened.ok ? 'other_organisation' : opened.why] += 1;
    log.warn({ organisation: slug }, 'an organisation entry was refused');
    return null;
  }

  async function idOf(slug: string): Promise<OrganisationId | 'unknown' | 'unavailable'> {
    // Both at once: the control plane knows what is current, and a store may be made to repeat what once was.
    const [asked, stored] = await Promise.all([
      controlPlane.organisation(slug),
      within(directory.getOrganisation(slug), STORE_TIMEOUT_MS, null),
    ]);
    if (asked.kind === 'missing') return 'unknown';
    const { entry, position } = asked.kind === 'found' ? asked.value : NOTHING;
    const id = await accept(slug, entry);
    if (id !== null && entry !== null) {
      if (position !== null) floors.raise(id, position);
      return keep(slug, entry, id);
    }
    const storedId = await accept(slug, stored);
    if (storedId !== null && stored !== null) return keep(slug, stored, storedId);
    return (await accept(slug, await disk.organisation(slug).catch(() => null))) ?? 'unavailable';
  }

  function keep(slug: string, jws: string, id: OrganisationId): OrganisationId {
    disk.keepOrganisation(slug, jws).catch((error: unknown) => {
      counters.refused.disk += 1;
      log.error({ organisation: slug, err: error }, 'the organisation entry could not be kept on disk');
    });
    return id;
  }

  async function fly(slug: string): Promise<Loaded> {
    try {
      const id = await idOf(slug);
      if (id === 'unknown') {
        unknownUntilMs.set(slug, clock.monotonicMs() + UNKNOWN_FOR_MS);
        return UNKNOWN;
      }
      if (id === 'unavailable') return UNAVAILABLE;
      return await openAt({ id, slug });
    } catch (error) {
      log.error({ organisation: slug, err: error }, 'an organisation could not be loaded');
    }
    return UNAVAILABLE;
  }

  async function openAt(identity: { id: OrganisationId; slug: string }): Promise<Loaded> {
    const organisation = open(identity);
    loading.add(identity.id);
    try {
      for (const pauseMs of [...RETRY_MS, null]) {
        if ((await organisation.load()) && hold(organisation)) return { kind: 'loaded', organisation };
        if (pauseMs !== null) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
      log.warn(
        { organisation: identity.slug, known: floors.get(identity.id) },
        'an organisation cannot be had as new as it is known to be',
      );
      organisation.close();
      return UNAVAILABLE;
    } finally {
      loading.delete(identity.id);
    }
  }

  return {
    load(slug) {
      // Also what keeps anything else out of a file's path.
      if (!OrganisationSlug.safeParse(slug).success) return UNKNOWN;
      if ((unknownUntilMs.get(slug) ?? 0) > clock.monotonicMs()) return UNKNOWN;
      const flying = flights.get(slug);
      if (flying !== undefined) return flying;
      const flight = fly(slug).finally(() => flights.delete(slug));
      flights.set(slug, flight);
      return flight;
    },
    underWay: (slug) => flights.get(slug),
    forgetUnknown: () => unknownUntilMs.clear(),
    loading: () => loading,
  };
}
