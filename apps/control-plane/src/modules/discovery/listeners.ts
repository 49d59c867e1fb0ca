import { Injectable } from '@nestjs/common';
import type { OrganisationId, ServerId } from '@patchbay/contracts';
import { DiscoveryFailed } from '@patchbay/discovery';
import { Bounded } from '../../common/bounded.ts';
import { type Discovery, Meters } from '../../ops/meters.ts';
import { Platform } from '../../platform.ts';
import type { Listenable } from '../../prisma/index.ts';
import { serverToAsk } from './catalogues.repository.ts';
import { DiscoveryService } from './discovery.service.ts';
import { listen, LISTENED, type ListenedList } from './listen.ts';
import { ListenerLeases, shardOf } from './listener-leases.ts';
import { ServerListener } from './server-listener.ts';
import { StdioChanges } from './stdio-changes.ts';
import { StdioHostListener, type StdioHostListenerDeps } from './stdio-host-listener.ts';
import { Transports } from './transports.ts';

const LOOK_EVERY_MS = 2_000;
/** As many as the jobs of discovery, beside those: each lists a whole server. */
const RELISTS_AT_ONCE = 4;

type Listening = { readonly key: string; readonly listener: ServerListener; isHeard: boolean };

/**
 * One listener for each server that says it tells of changed lists, wherever the control plane that holds it: its catalogue is
 * published anew, and pods tell their clients after that (docs/architecture/notifications.md).
 */
@Injectable()
export class Listeners {
  readonly #listening = new Map<string, Listening>();
  readonly #stopping = new Set<Promise<void>>();
  readonly #relists = new Bounded({ atOnceMax: RELISTS_AT_ONCE, waitingMax: Number.POSITIVE_INFINITY });
  readonly #leases: ListenerLeases;
  readonly #stdioHosts: StdioHostListener[] = [];
  readonly #stdioChanges: StdioChanges;
  #shards: ReadonlySet<number> = new Set();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> = Promise.resolve();
  #isWaiting = false;
  #isStopped = false;

  constructor(
    private readonly platform: Platform,
    private readonly discovery: DiscoveryService,
    private readonly transports: Transports,
    meters: Meters,
  ) {
    this.#leases = new ListenerLeases({
      databaseUrl: platform.config.databaseUrl.reveal(),
      onError: (error) => platform.logger.warn({ err: error }, 'the connection that holds the listeners was lost'),
    });
    this.#stdioChanges = new StdioChanges({
      relist: (organisationId, serverId) => this.#relist(organisationId, serverId),
      isOurs: (serverId) => this.#shards.has(shardOf(serverId)),
    });
    meters.watchListeners(() => [...this.#listening.values()].map(({ isHeard }) => isHeard));
  }

  /** Listens from now on to what is this control plane's to listen to. */
  start(): void {
    this.#timer = setInterval(() => this.#lookSoon(), LOOK_EVERY_MS);
    this.#timer.unref();
    for (const [index, open] of this.transports.listChanges().entries()) this.#stdioHosts.push(this.#listenToHost(index, open));
    // What a new server changes right after it was found is not to wait for the next look.
    this.discovery.found = (serverId) => {
      if (!this.#listening.has(serverId)) this.#lookSoon();
    };
  }

  /** Resolves when nobody is listened to any more, and other control planes may. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#looking;
    this.#keepOnly(new Map());
    await Promise.all([...this.#stopping, ...this.#stdioHosts.map((listener) => listener.stop()), this.#stdioChanges.stop()]);
    await this.#leases.release();
  }

  /** After the look that is under way; several wishes are one look. */
  #lookSoon(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#looking = this.#looking.then(() => {
      this.#isWaiting = false;
      return this.#isStopped ? undefined : this.#look();
    });
  }

  async #look(): Promise<void> {
    try {
      this.#shards = await this.#leases.renew();
      this.#stdioChanges.lookAgain();
      const found = await this.platform.lookups.serversToListenTo();
      const ours = found.filter(({ serverId }) => this.#shards.has(shardOf(serverId)));
      const wanted = new Map(ours.map((server) => [server.serverId as string, server]));
      this.#keepOnly(wanted);
      for (const server of wanted.values()) if (!this.#listening.has(server.serverId)) this.#listenTo(server);
    } catch (error) {
      this.platform.logger.warn({ err: error }, 'whom to listen to cannot be found out; nobody is meanwhile');
      this.#shards = new Set();
      this.#keepOnly(new Map());
    }
  }

  #keepOnly(wanted: ReadonlyMap<string, Listenable>): void {
    const over = [...this.#listening].filter(([serverId, { key }]) => {
      const server = wanted.get(serverId);
      return server === undefined || keyOf(server) !== key;
    });
    for (const [serverId] of over) this.#listening.delete(serverId);
    for (const [, { listener }] of over) this.#stopSoon(listener);
  }

  /** Not waited for: a slow server that is asked for its lists would hold up all others. */
  #stopSoon(listener: ServerListener): void {
    const stopped = listener.stop().finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }

  #listenTo(server: Listenable): void {
    const { organisationId, serverId } = server;
    const open = (signal: AbortSignal): AsyncIterable<ListenedList | null> => this.#open(server, signal);
    const heard = (outcome: 'listening' | 'lost' | 'nobody', error: unknown): void => {
      listening.isHeard = outcome === 'listening';
      if (outcome !== 'listening') this.platform.logger.info({ organisationId, serverId, outcome, err: error }, 'a server is not heard');
    };
    const relist = (): Promise<Discovery> => this.#relist(organisationId, serverId);
    const listening: Listening = { key: keyOf(server), isHeard: false, listener: new ServerListener({ open, relist, heard }) };
    this.#listening.set(serverId, listening);
  }

  #listenToHost(index: number, open: StdioHostListenerDeps['open']): StdioHostListener {
    let wasHeard = true;
    return new StdioHostListener({
      open,
      changed: (change) => this.#stdioChanges.changed(change),
      heard: (isHeard, error) => {
        if (!isHeard && wasHeard) this.platform.logger.info({ stdioHost: index, err: error }, 'a stdio host is not heard');
        wasHeard = isHeard;
      },
    });
  }

  async #relist(organisationId: OrganisationId, serverId: ServerId): Promise<Discovery> {
    try {
      return (await this.#relists.run(() => this.discovery.discover(organisationId, serverId))) ?? 'failed';
    } catch (error) {
      this.platform.logger.warn({ organisationId, serverId, err: error }, 'changed lists could not be read');
      return 'failed';
    }
  }

  async *#open({ era, generation, lists, organisationId, serverId }: Listenable, signal: AbortSignal): AsyncGenerator<ListenedList | null> {
    const found = await this.platform.database.withOrganisation(organisationId, (tx) => serverToAsk(tx, organisationId, serverId));
    if (found === null || found.server.generation !== generation) throw new DiscoveryFailed('The server has changed.');
    const { secrets, server } = found;
    const transport = await this.transports.to(server, secrets);
    yield* listen({ transport, requestMs: server.requestMs, era, lists: LISTENED.filter((list) => lists.includes(list)), signal });
  }
}

/** Whatever changes how a server is listened to. */
function keyOf({ era, generation, lists }: Listenable): string {
  return `${generation} ${era} ${lists.join(' ')}`;
}
