import { isObject, type ScannedMessage, type Selector, selectStrings, splice } from '@patchbay/mcp-wire';
import type { CallContext } from '../pipeline/context.ts';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { TASKS_EXTENSION } from '../upstream/asking/declared.ts';
import type { Bridge } from '../upstream/bridge/bridge.ts';
import type { UpstreamTarget } from '../upstream/bridge/make-bridge.ts';
import { isTaskMethod } from './task-target.ts';
import type { TaskIds } from './task-ids.ts';

const below = (name: string, selector: Selector): Selector => ({ members: new Map([[name, selector]]) });
const TASK_ID = below('result', below('taskId', { isWanted: true }));
const RESULT_TYPE = below('result', below('resultType', { isWanted: true }));
const KEY = Buffer.from('"taskId"');

/** The bridge of a call that may begin a task, or speaks of one, where the client knows tasks by ids of ours. */
export function exposeTaskIds(ctx: CallContext, target: UpstreamTarget, { bridge, taskIds }: { bridge: Bridge; taskIds: TaskIds }): Bridge {
  const { message } = ctx;
  const mayBegin = message?.method === 'tools/call' && ctx.era === 'modern' && beginsTasks(target.server);
  if (message === null || (!mayBegin && !isTaskMethod(ctx)) || !taskIds.areSealed(ctx, target.server)) return bridge;
  const { object, server, upstreamName } = target;
  const expose = (taskId: string): string => {
    // Who asks for a task finds it under the id that it asked with.
    if (!mayBegin && taskId === upstreamName && message.taskId !== null) return message.taskId;
    return taskIds.seal(ctx, { serverId: server.id, tool: object.name, taskId });
  };
  return {
    ...bridge,
    isVerbatim: false,
    answer(bytes, answered) {
      const answer = bridge.answer(bytes, answered);
      return Buffer.isBuffer(answer) && isOfTask(answer, answered, mayBegin) ? exposeIn(answer, expose) : answer;
    },
  };
}

/** Only servers that say so: answers of all others pass as they come. */
function beginsTasks({ catalogue }: CompiledServer): boolean {
  const extensions = catalogue?.era === 'modern' ? catalogue.capabilities['extensions'] : null;
  return isObject(extensions) && Object.hasOwn(extensions, TASKS_EXTENSION);
}

/** A call's own result may hold any member of that name. */
function isOfTask(answer: Buffer, { resultSpan }: ScannedMessage, mayBegin: boolean): boolean {
  if (resultSpan === null || !answer.includes(KEY)) return false;
  return !mayBegin || selectStrings(answer, RESULT_TYPE).some(({ text }) => text === 'task');
}

function exposeIn(answer: Buffer, expose: (taskId: string) => string): Buffer {
  return splice(
    answer,
    selectStrings(answer, TASK_ID).map(({ span, text }) => ({ ...span, replacement: JSON.stringify(expose(text)) })),
  );
}
