import type { Refusal } from '@patchbay/errors';
import { addMetaMembers, exposedUri, META_KEYS, type ScannedMessage, scanMessage, sliceMember, splice } from '@patchbay/mcp-wire';
import { exposeUris } from '../aggregate/expose-uris.ts';
import { tellWhenOld } from '../catalogues/freshness.ts';
import type { CallContext } from '../pipeline/context.ts';
import { isOfLists } from '../streams/stream-view.ts';
import { type ReachDeps, reach } from '../upstream/reach.ts';
import type { Plan } from './plan.ts';
import { subscribeTo, type Subscription } from './subscribe-to.ts';
import { capabilitiesTextFor } from '../upstream/sampling.ts';
import { SCAN } from '../upstream/scan-limits.ts';

/** Of the server's side: to be written for the client, and that one of them has ended. */
export type ClientSubscriptionListener = { notified(bytes: Buffer): void; ended(): void };

/** What servers honour for one stream, by member of its filter; URIs as the client spells them. */
export type Honoured = Readonly<Record<string, unknown>>;

const TASK_NOTIFICATION = 'notifications/tasks';

type Stands = { readonly plan: Plan; readonly subscription: Subscription };

/** The subscriptions of one stream at its servers. Each stands before the client's own is acknowledged (protocol.md §4.4). */
export class ClientSubscription {
  readonly #id: string;
  readonly #isAggregate: boolean;
  readonly #listener: ClientSubscriptionListener;
  #standing: readonly Subscription[] = [];

  constructor({ endpointServer }: CallContext, id: string, listener: ClientSubscriptionListener) {
    this.#id = id;
    this.#isAggregate = endpointServer === null;
    this.#listener = listener;
  }

  /** What is honoured; a refusal when all was refused, the first of them. */
  async open(deps: ReachDeps, ctx: CallContext, plans: readonly Plan[]): Promise<{ readonly honoured: Honoured } | Refusal> {
    const opened = await Promise.all(plans.map((plan) => this.#subscribe(deps, ctx, plan)));
    const standing = opened.filter((each): each is Stands => !('code' in each));
    this.#standing = standing.map(({ subscription }) => subscription);
    const refused = opened.find((each): each is Refusal => 'code' in each);
    return standing.length === 0 && refused !== undefined ? refused : { honoured: honouredBy(standing) };
  }

  close(): void {
    for (const subscription of this.#standing) subscription.close();
    this.#standing = [];
  }

  async #subscribe(deps: ReachDeps, ctx: CallContext, plan: Plan): Promise<Stands | Refusal> {
    const upstream = await reach(deps, ctx, plan.server);
    if ('code' in upstream) return upstream;
    const span = ctx.message?.clientCapabilitiesSpan ?? null;
    const declared = span === null ? '{}' : ctx.body.toString('utf8', span.start, span.end);
    const subscription = await subscribeTo({
      upstream,
      filter: plan.filter,
      clientCapabilities: capabilitiesTextFor(plan.server.sampling, declared),
      notified: this.#notify(plan),
      ended: () => this.#listener.ended(),
    });
    return 'code' in subscription ? subscription : { plan, subscription };
  }

  /** Lists are ours to tell of, but for those that are the caller's own; everything else passes, under the client's id and the endpoint's URIs. */
  #notify({ server: { catalogueMode, slug }, spelling, tasks }: Plan): (bytes: Buffer, message: ScannedMessage) => void {
    const expose = (uri: string): string => spelling.get(uri) ?? exposedUri(slug, uri);
    return (bytes, message) => {
      if (catalogueMode === 'shared' && isOfLists(message)) return;
      const said = message.method === TASK_NOTIFICATION ? spellTask(bytes, tasks) : bytes;
      if (said === null) return;
      const named = withId(this.#isAggregate ? exposeUris(said, message, expose) : said, this.#id);
      if (named === null) return;
      if (catalogueMode === 'per-credential' && isOfLists(message)) tellWhenOld(() => this.#listener.notified(named));
      else this.#listener.notified(named);
    };
  }
}

/** Under the id that the client asked with; null: it did not ask for that one. */
function spellTask(bytes: Buffer, tasks: Plan['tasks']): Buffer | null {
  const span = sliceMember(bytes, ['params', 'taskId']);
  const own: unknown = span === null ? null : JSON.parse(bytes.toString('utf8', span.start, span.end));
  const spelled = typeof own === 'string' ? tasks.get(own) : undefined;
  return span === null || spelled === undefined ? null : splice(bytes, [{ ...span, replacement: JSON.stringify(spelled) }]);
}

function withId(bytes: Buffer, id: string): Buffer | null {
  const span = sliceMember(bytes, ['params', '_meta', META_KEYS.subscriptionId]);
  if (span !== null) return splice(bytes, [{ ...span, replacement: id }]);
  const scanned = scanMessage(bytes, SCAN);
  return scanned.ok ? splice(bytes, [addMetaMembers(bytes, scanned.message, `"${META_KEYS.subscriptionId}":${id}`)]) : null;
}

function honouredBy(standing: readonly Stands[]): Honoured {
  const [uris, tasks]: [string[], string[]] = [[], []];
  const others: Record<string, unknown> = {};
  for (const { plan, subscription } of standing) {
    const { resourceSubscriptions = [], taskIds = [], ...rest } = subscription.honoured;
    uris.push(...resourceSubscriptions.flatMap((uri) => plan.spelling.get(uri) ?? []));
    tasks.push(...taskIds.flatMap((taskId) => plan.tasks.get(taskId) ?? []));
    for (const name of Object.keys(rest)) if (Object.hasOwn(plan.filter, name)) others[name] = rest[name];
  }
  return {
    ...others,
    ...(uris.length === 0 ? {} : { resourceSubscriptions: uris }),
    ...(tasks.length === 0 ? {} : { taskIds: tasks }),
  };
}
