import type { Refusal } from '@patchbay/errors';
import type { LocatedSession, Way, Ways } from '../ways.ts';
import { type EndOnHost, pathOn } from './end-on-host.ts';
import type { StdioHost, StdioHosts } from './hosts.ts';
import type { Placed, Placement } from './placement.ts';

export type StdioWaysDeps = { readonly hosts: StdioHosts; readonly placement: Placement; readonly endOn: EndOnHost };

/** What a host says of itself, not of the server: another host may do. */
const OF_ONE_HOST: ReadonlySet<string> = new Set(['stdio.limit', 'stdio.stopping']);

/** The ways to one stdio server over the hosts of the installation. */
export class StdioWays implements Ways {
  readonly areSeveral: boolean;
  readonly #deps: StdioWaysDeps;
  readonly #placed: Placed;
  readonly #principal: string | null;

  /** `principal`: whose sessions lie on one host together; null where that is no matter. */
  constructor(deps: StdioWaysDeps, placed: Placed, principal: string | null) {
    this.#deps = deps;
    this.#placed = placed;
    this.#principal = principal;
    this.areSeveral = !deps.hosts.isSingle;
  }

  to(session: LocatedSession | null): Way | null {
    const { hosts, placement } = this.#deps;
    const host = this.#hostOf(session);
    // A stdio server speaks legacy revisions only, so there is no way for messages without a session.
    return host !== null && (hosts.isSingle || placement.holds(this.#placed, host)) ? this.#wayTo(host) : null;
  }

  next(owner: string, tried: ReadonlySet<string | null>): Way | null | Promise<Way | null> {
    const next = this.#deps.placement.next(this.#placed, this.#principal ?? owner, tried);
    return next instanceof Promise ? next.then((host) => this.#wayOrNull(host)) : this.#wayOrNull(next);
  }

  isOfOneInstance({ instance }: Way, { code }: Refusal): boolean {
    const host = this.#deps.hosts.byId(instance ?? '');
    if (code === 'stdio.stopping' && host !== null) this.#deps.hosts.giveUp(host, 'it is shutting down');
    return OF_ONE_HOST.has(code) || (host !== null && !this.#deps.hosts.isAlive(host));
  }

  abandon(session: LocatedSession): void {
    const { endOn, hosts } = this.#deps;
    const host = this.#hostOf(session);
    if (host === null || session.id === null) return;
    // One that is alive has said itself that the session is gone.
    if (!hosts.isAlive(host)) hosts.owe(host, () => endOn(host, this.#placed, session));
  }

  /** A session that names no host was opened when there was one. */
  #hostOf(session: LocatedSession | null): StdioHost | null {
    const { hosts } = this.#deps;
    if (session === null) return null;
    return session.instance === null && hosts.isSingle ? (hosts.all[0] ?? null) : hosts.byId(session.instance ?? '');
  }

  #wayOrNull(host: StdioHost | null): Way | null {
    return host === null ? null : this.#wayTo(host);
  }

  #wayTo(host: StdioHost): Way {
    return {
      pool: host.pool,
      streams: () => host.streams,
      path: pathOn(host, this.#placed),
      instance: host.id,
      giveUp: () => this.#deps.hosts.giveUp(host, 'nothing could be sent to it'),
    };
  }
}
