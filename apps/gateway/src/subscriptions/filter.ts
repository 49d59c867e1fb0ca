import { isObject } from '@patchbay/mcp-wire';
import { type Refusal, refusal } from '@patchbay/errors';
import type { CallContext } from '../pipeline/context.ts';
import { CHANGING_LISTS, type ChangingList } from '../streams/changed-lists.ts';
import type { Wanted } from './plan.ts';

/** A filter of `subscriptions/listen`, read. */
export type Filter = Wanted & { readonly lists: readonly ChangingList[] };

/** The members that name lists (revision 2026-07-28, subscriptions). */
const MEMBERS = { tools: 'toolsListChanged', prompts: 'promptsListChanged', resources: 'resourcesListChanged' } as const;
const RESOURCES = 'resourceSubscriptions';
/** Of the extension for tasks. */
const TASKS = 'taskIds';
const KNOWN: ReadonlySet<string> = new Set([...Object.values(MEMBERS), RESOURCES, TASKS]);
/** Each resource is a request to a legacy server. */
const NAMED_MAX = 256;

/** The request's filter; members that no revision has are kept as they are. */
export function readFilter({ body, message }: CallContext): Filter | Refusal {
  const span = message?.paramsSpan ?? null;
  const params: unknown = span === null ? null : JSON.parse(body.toString('utf8', span.start, span.end));
  const filter = isObject(params) ? params['notifications'] : null;
  if (!isObject(filter)) return refusal('rpc.params', 'params.notifications must be an object.');
  const wrong = Object.values(MEMBERS).find((member) => typeof (filter[member] ?? false) !== 'boolean');
  if (wrong !== undefined) return refusal('rpc.params', `params.notifications.${wrong} must be a boolean.`);
  const [resources, taskIds] = [filter[RESOURCES] ?? [], filter[TASKS] ?? []];
  if (!isTexts(resources) || resources.length > NAMED_MAX)
    return refusal('rpc.params', `params.notifications.${RESOURCES} must be up to ${NAMED_MAX} URIs.`);
  if (!isTexts(taskIds) || taskIds.length > NAMED_MAX)
    return refusal('rpc.params', `params.notifications.${TASKS} must be up to ${NAMED_MAX} ids of tasks.`);
  return {
    lists: CHANGING_LISTS.filter((list) => filter[MEMBERS[list]] === true),
    resources: [...new Set(resources)],
    taskIds: [...new Set(taskIds)],
    others: Object.fromEntries(Object.entries(filter).filter(([name]) => !KNOWN.has(name))),
  };
}

/** The filter that asks for these lists and nothing else. */
export function listMembers(lists: readonly ChangingList[]): Readonly<Record<string, true>> {
  return Object.fromEntries(lists.map((list) => [MEMBERS[list], true]));
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
