import { Injectable } from '@nestjs/common';
import type { OrganisationId, ServerId } from '@patchbay/contracts';
import { Meters } from '../../ops/meters.ts';
import { Platform } from '../../platform.ts';
import type { Listenable } from '../../prisma/index.ts';
import { serverToAsk } from './catalogues.repository.ts';
import { DiscoveryService } from './discovery.service.ts';
import { DiscoveryFailed } from './failed.ts';
import { listen, LISTENED, type ListenedList } from './listen.ts';
import { ListenerLeases, shardOf } from './listener-leases.ts';
import { ServerListener } from './server-listener.ts';
import { Transports } from './transports.ts';

const LOOK_EVERY_MS = 2_000;

type Listening = { readonly key: string; readonly listener: ServerListener; isHeard: boolean };

/**
 * One listener for each server that says it tells of changed lists, wherever the control plane that holds it: its catalogue is
 * published anew, and pods tell their clients after that (docs/architecture/notifications.md).
 */
@Injectable()
export class Listeners {
  readonly #listening = new Map<string, Listening>();
  readonly #leases: ListenerLeases;
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
    meters.watchListeners(() => [...this.#listening.values()].map(({ isHeard }) => isHeard));
  }

  /** Listens from now on to what is this control plane's to listen to. */
  start(): void {
    this.#timer = setInterval(() => this.#lookSoon(), LOOK_EVERY_MS);
    this.#timer.unref();
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
    await this.#keepOnly(new Map());
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
      const shards = await this.#leases.renew();
      const found = await this.platform.lookups.serversToListenTo();
      const ours = found.filter(({ serverId }) => shards.has(shardOf(serverId)));
      const wanted = new Map(ours.map((server) => [server.serverId as string, server]));
      await this.#keepOnly(wanted);
      for (const server of wanted.values()) if (!this.#listening.has(server.serverId)) this.#listenTo(server);
    } catch (error) {
      this.platform.logger.warn({ err: error }, 'whom to listen to cannot be found out; nobody is meanwhile');
      await this.#keepOnly(new Map());
    }
  }

  async #keepOnly(wanted: ReadonlyMap<string, Listenable>): Promise<void> {
    const over = [...this.#listening].filter(([serverId, { key }]) => {
      const server = wanted.get(serverId);
      return server === undefined || keyOf(server) !== key;
    });
    for (const [serverId] of over) this.#listening.delete(serverId);
    await Promise.all(over.map(([, { listener }]) => listener.stop()));
  }

  #listenTo(server: Listenable): void {
    const { organisationId, serverId } = server;
    const open = (signal: AbortSignal): AsyncIterable<ListenedList | null> => this.#open(server, signal);
    const heard = (outcome: 'listening' | 'lost' | 'nobody', error: unknown): void => {
      listening.isHeard = outcome === 'listening';
      if (outcome !== 'listening') this.platform.logger.info({ organisationId, serverId, outcome, err: error }, 'a server is not heard');
    };
    const relist = (): Promise<boolean> => this.#relist(organisationId, serverId);
    const listening: Listening = { key: keyOf(server), isHeard: false, listener: new ServerListener({ open, relist, heard }) };
    this.#listening.set(serverId, listening);
  }

  async #relist(organisationId: OrganisationId, serverId: ServerId): Promise<boolean> {
    try {
      return await this.discovery.discover(organisationId, serverId);
    } catch (error) {
      this.platform.logger.warn({ organisationId, serverId, err: error }, 'changed lists could not be read');
      return false;
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
