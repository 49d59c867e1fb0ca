import type { Era } from '@patchbay/mcp-wire';
import { exposeOnAggregate } from '../../aggregate/expose-bridge.ts';
import { exposeTaskIds } from '../../aggregate/expose-task-ids.ts';
import type { TaskIds } from '../../aggregate/task-ids.ts';
import type { CallContext } from '../../pipeline/context.ts';
import type { Bridge } from './bridge.ts';
import { fitRevision } from './fit-revision.ts';
import { fitLiveList } from './live-list.ts';
import type { UpstreamTarget } from './make-bridge.ts';

/**
 * The bridge of a call as the client's endpoint and revision have it: names as they are exposed there, nothing that the client cannot parse or
 * may not see. The bridge itself where nothing of this is needed.
 */
export function fitEndpoint(
  ctx: CallContext,
  target: UpstreamTarget & { readonly upstreamEra: Era },
  { bridge, taskIds }: { readonly bridge: Bridge; readonly taskIds: TaskIds },
): Bridge {
  const exposed = exposeTaskIds(ctx, target, { bridge: exposeOnAggregate(ctx, target, bridge), taskIds });
  return fitLiveList(ctx, target, fitRevision(ctx, target, exposed));
}
