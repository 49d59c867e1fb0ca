import { type Refusal, refusal } from '@patchbay/errors';
import type { CallContext, Target } from '../pipeline/context.ts';
import type { TaskIds } from './task-ids.ts';

/** The methods of the tasks extension; earlier revisions have others of these names, which pass on one server's own endpoint alone. */
const METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel']);

export function isTaskMethod({ era, message }: CallContext): boolean {
  return era === 'modern' && message !== null && METHODS.has(message.method);
}

/** Where a task lies, by its sealed id. Grants decide again, on the tool whose call began it (security.md §11). */
export function taskTarget(ctx: CallContext, taskIds: TaskIds): Target | Refusal {
  const { message, snapshot } = ctx;
  const id = message?.taskId ?? null;
  if (snapshot === null || id === null) return refusal('rpc.params', 'params.taskId must be the id of a task.');
  const task = taskIds.open(ctx, id);
  const server = task === null ? undefined : snapshot.serversById.get(task.serverId);
  if (task === null || server?.catalogue?.era !== 'modern') return refusal('task.unknown');
  return { kind: 'upstream', server, object: { kind: 'tool', name: task.tool }, upstreamName: task.taskId };
}
