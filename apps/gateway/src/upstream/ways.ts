import type { Refusal } from '@patchbay/errors';
import type { Dispatcher } from 'undici';
import type { SessionHeaders } from './headers.ts';
import { refuseFailure } from './judge.ts';

/** Where a message goes: pooled connections, and the path to ask for on them. */
export type Way = {
  readonly pool: Dispatcher;
  readonly path: string;
  /** Connections of their own for streams, which last for hours. */
  streams(): Dispatcher;
  /** The stdio host at its end; null for a remote server. */
  readonly instance: string | null;
  /** Nothing could be sent this way. True: the sessions on it are lost, and there are other ways to open new ones. */
  giveUp(): boolean;
};

/** A session with a legacy server, and on which of the places where the server runs it lies. */
export type LocatedSession = SessionHeaders & { readonly instance: string | null };

/** All ways to one server: one to a remote server, one for each host to a stdio server. */
export interface Ways {
  /** To where the session lies; null when it cannot be reached there any more, and is lost. Never waits. */
  to(session: LocatedSession | null): Way | null;
  /** Where its owner opens a session next, the instances in `tried` left out; null when none is left. */
  next(owner: string, tried: ReadonlySet<string | null>): Way | null | Promise<Way | null>;
  /** Whether the refusal of an opening speaks of this instance alone, so that nothing was opened and another may do. */
  isOfOneInstance(way: Way, refused: Refusal): boolean;
  /** The session is used no more: where it lies is told as soon as that can be reached again. */
  abandon(session: LocatedSession): void;
  /** False: a sealed session id alone decides where its session is. True: it may have been replaced, which the store knows. */
  readonly areSeveral: boolean;
}

/** The one way to a remote server. */
export class RemoteWay implements Way, Ways {
  readonly pool: Dispatcher;
  readonly path: string;
  readonly instance = null;
  readonly areSeveral = false;
  readonly streams: () => Dispatcher;

  constructor(pool: Dispatcher, path: string, streams: () => Dispatcher) {
    this.pool = pool;
    this.path = path;
    this.streams = streams;
  }

  giveUp(): boolean {
    return false;
  }

  to(): Way {
    return this;
  }

  next(_owner: string, tried: ReadonlySet<string | null>): Way | null {
    return tried.size === 0 ? this : null;
  }

  isOfOneInstance(): boolean {
    return false;
  }

  abandon(): void {
    // It is the server that said the session is gone.
  }
}

/** Opens something (`initialize`) on the first instance that takes it, and says on which. */
export async function openOnOne<T extends object>(
  ways: Ways,
  { owner, slug }: { owner: string; slug: string },
  open: (way: Way) => Promise<T | Refusal>,
): Promise<{ readonly opened: T; readonly way: Way } | Refusal> {
  const tried = new Set<string | null>();
  let refused: Refusal | null = null;
  for (;;) {
    const next = ways.next(owner, tried);
    const way = next instanceof Promise ? await next : next;
    if (way === null) return refused ?? refuseFailure('dial', slug);
    const opened = await open(way);
    if (!isRefusal(opened)) return { opened, way };
    if (!ways.isOfOneInstance(way, opened)) return opened;
    refused = opened;
    tried.add(way.instance);
  }
}

function isRefusal(opened: object): opened is Refusal {
  return 'code' in opened;
}
