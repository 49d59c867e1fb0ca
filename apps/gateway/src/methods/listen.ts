import { type Refusal, refusal } from '@patchbay/errors';
import { META_KEYS } from '@patchbay/mcp-wire';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import { CHANGING_LISTS, type ChangingList } from '../streams/changed-lists.ts';
import { ClientStream } from '../streams/client-stream.ts';
import type { ClientStreams } from '../streams/client-streams.ts';
import { streamOwnerOf } from '../streams/stream-owner.ts';
import { describeEndpoint } from './discover.ts';
import { SERVER_INFO_META_KEY } from './self.ts';

export type ListenDeps = { readonly streams: Pick<ClientStreams, 'add'> };

/** The members of a filter that name lists (revision 2026-07-28, subscriptions). */
const MEMBERS = { tools: 'toolsListChanged', prompts: 'promptsListChanged', resources: 'resourcesListChanged' } as const;

/**
 * `subscriptions/listen`: says first what of the filter is honoured, then which lists look different to this caller, each time after the
 * catalogue (architecture.md §5). For whatever counts calls it has ended once it is acknowledged; its stream lives on.
 */
export function makeListen({ streams }: ListenDeps): Step {
  return function listen(ctx: CallContext): Outcome {
    const wanted = wantedLists(ctx);
    if ('code' in wanted) return wanted;
    const description = describeEndpoint(ctx);
    const honoured = wanted.filter((list) => description?.capabilities[list] !== undefined);
    const write = writerFor(ctx);
    const end = (): void => {
      stream.end();
      if (typeof takeOut === 'function') takeOut();
    };
    const takeOut = streams.add({
      owner: streamOwnerOf(ctx),
      listsChanged: (lists) => {
        for (const list of honoured) if (lists.has(list)) stream.tell(write.notification(`notifications/${list}/list_changed`, ''));
      },
      end,
    });
    if (typeof takeOut !== 'function') return takeOut;
    const stream = new ClientStream(ctx.response, { drained: () => undefined, left: takeOut });
    stream.tell(write.notification('notifications/subscriptions/acknowledged', `"notifications":${honouredText(honoured)},`));
    if (honoured.length > 0) {
      stream.keepAlive();
    } else {
      // Nothing will ever come: the final result says so, and that coming back is of no use.
      stream.tell(write.result(description?.serverInfo));
      end();
    }
    return ANSWERED;
  };
}

function wantedLists({ body, message }: CallContext): readonly ChangingList[] | Refusal {
  const params: unknown = message === null || message.paramsSpan === null ? null : JSON.parse(textAt(body, message.paramsSpan));
  const filter = isObject(params) ? params['notifications'] : null;
  if (!isObject(filter)) return refusal('rpc.params', 'params.notifications must be an object.');
  for (const member of Object.values(MEMBERS)) {
    const value = filter[member] ?? false;
    if (typeof value !== 'boolean') return refusal('rpc.params', `params.notifications.${member} must be a boolean.`);
  }
  return CHANGING_LISTS.filter((list) => filter[MEMBERS[list]] === true);
}

function honouredText(lists: readonly ChangingList[]): string {
  return JSON.stringify(Object.fromEntries(lists.map((list) => [MEMBERS[list], true])));
}

/** Every message of the stream names the request by its id, in the client's own spelling. */
function writerFor({ body, message }: CallContext) {
  const id = message === null || message.idSpan === null ? 'null' : textAt(body, message.idSpan);
  const meta = `"_meta":{"${META_KEYS.subscriptionId}":${id}`;
  return {
    /** `members`: JSON text that ends with a comma, or nothing. */
    notification: (method: string, members: string): string => `{"jsonrpc":"2.0","method":"${method}","params":{${members}${meta}}}}`,
    result: (serverInfo: unknown): string =>
      `{"jsonrpc":"2.0","id":${id},"result":{"resultType":"complete",${meta},"${SERVER_INFO_META_KEY}":${JSON.stringify(serverInfo ?? {})}}}}`,
  };
}

function textAt(body: Buffer, { start, end }: { start: number; end: number }): string {
  return body.toString('utf8', start, end);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
