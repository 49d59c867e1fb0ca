import { decidedBy } from '../aggregate/app-pages.ts';
import { isPermitted } from '../aggregate/is-permitted.ts';
import type { TaskIds } from '../aggregate/task-ids.ts';
import { uriTarget } from '../aggregate/uri-target.ts';
import type { CallContext, CallObject } from '../pipeline/context.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import type { ServerFilter } from './subscribe-to.ts';

/** What one server is asked for, for the sake of one stream. */
export type Plan = {
  readonly server: CompiledServer;
  readonly filter: ServerFilter;
  /** The client's own spelling of each URI that it asked for, by the server's. */
  readonly spelling: ReadonlyMap<string, string>;
  /** The id that the client has of each task that it asked for, by the server's. */
  readonly tasks: ReadonlyMap<string, string>;
  /** What grants decide on. */
  readonly objects: readonly CallObject[];
};

/** What a client asks for beside lists. `others`: members that no revision has, by extensions or to come. */
export type Wanted = {
  readonly resources: readonly string[];
  readonly taskIds: readonly string[];
  readonly others: Readonly<Record<string, unknown>>;
};

/** `own`: as the server knows it; `spelled`: as the client does. */
type Owned = { readonly server: CompiledServer; readonly object: CallObject; readonly own: string; readonly spelled: string };
type Asked = Owned & { readonly member: 'resourceSubscriptions' | 'taskIds' };

/**
 * Shares out what is wanted among the servers of the endpoint. A URI that the caller may not read, or whose server takes no subscriptions,
 * is left out, and so is a task that is not its own: what is not granted and what is not there look alike. Unknown members go to a modern
 * server on its own endpoint.
 */
export function planSubscriptions(ctx: CallContext, { others, resources, taskIds }: Wanted, sealed: TaskIds): readonly Plan[] {
  const asked: Asked[] = [
    ...resources.flatMap((spelled) => ownerOf(ctx, spelled) ?? []).map((owned) => ({ ...owned, member: 'resourceSubscriptions' as const })),
    ...taskIds.flatMap((spelled) => taskOf(ctx, spelled, sealed) ?? []).map((owned) => ({ ...owned, member: 'taskIds' as const })),
  ];
  const plans = [...Map.groupBy(asked, ({ server }) => server)].map(([server, each]) =>
    planFor(server, othersFor(ctx, server, others), each),
  );
  const { endpointServer } = ctx;
  if (plans.length > 0 || endpointServer === null) return plans;
  const filter = othersFor(ctx, endpointServer, others);
  return Object.keys(filter).length === 0 ? [] : [planFor(endpointServer, filter, [])];
}

function planFor(server: CompiledServer, others: Wanted['others'], asked: readonly Asked[]): Plan {
  const spelled = (member: Asked['member']): ReadonlyMap<string, string> =>
    new Map(asked.filter((each) => each.member === member).map((each) => [each.own, each.spelled]));
  const [spelling, tasks] = [spelled('resourceSubscriptions'), spelled('taskIds')];
  const filter = {
    ...others,
    ...(spelling.size === 0 ? {} : { resourceSubscriptions: [...spelling.keys()] }),
    ...(tasks.size === 0 ? {} : { taskIds: [...tasks.keys()] }),
  };
  return { server, filter, spelling, tasks, objects: asked.map(({ object }) => object) };
}

/** Whether the server says that it takes subscriptions to resources. */
export function takesSubscriptions({ catalogue }: CompiledServer): boolean {
  const resources = catalogue?.capabilities['resources'];
  return typeof resources === 'object' && resources !== null && 'subscribe' in resources && resources.subscribe === true;
}

function othersFor({ endpointServer }: CallContext, server: CompiledServer, others: Wanted['others']): Wanted['others'] {
  return server === endpointServer && server.catalogue?.era === 'modern' ? others : {};
}

/** Whose resource it is; null: of nobody who takes subscriptions to it from this caller. */
export function ownerOf(ctx: CallContext, spelled: string): Owned | null {
  const { endpointServer, snapshot } = ctx;
  if (snapshot === null) return null;
  if (endpointServer !== null) {
    const object = decidedBy(ctx, endpointServer, { kind: 'resource', name: spelled });
    const isOffered = takesSubscriptions(endpointServer) && isPermitted(ctx, endpointServer, object);
    return isOffered ? { server: endpointServer, object, own: spelled, spelled } : null;
  }
  const target = uriTarget(ctx, snapshot, { kind: 'resource', name: spelled });
  if ('code' in target || target.kind !== 'upstream') return null;
  const { object, server, upstreamName } = target;
  const isOffered = takesSubscriptions(server) && isPermitted(ctx, server, object);
  return isOffered ? { server, object, own: upstreamName ?? spelled, spelled } : null;
}

/** A task that a call of this caller began at this endpoint, while it may use the tool that began it; or one whose id is the server's own. */
function taskOf(ctx: CallContext, spelled: string, sealed: TaskIds): Owned | null {
  const { endpointServer, snapshot } = ctx;
  if (endpointServer !== null && !sealed.areSealed(ctx, endpointServer)) {
    const object = { kind: 'method', name: 'tasks/get' } as const;
    return endpointServer.catalogue?.era === 'modern' ? { server: endpointServer, object, own: spelled, spelled } : null;
  }
  const task = sealed.open(ctx, spelled);
  const server = task === null ? undefined : snapshot?.serversById.get(task.serverId);
  if (task === null || server?.catalogue?.era !== 'modern') return null;
  const object = { kind: 'tool', name: task.tool } as const;
  return isPermitted(ctx, server, object) ? { server, object, own: task.taskId, spelled } : null;
}
