import { type Refusal, refusal } from '@patchbay/errors';
import { META_KEYS } from '@patchbay/mcp-wire';
import type { TaskIds } from '../aggregate/task-ids.ts';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import type { ChangingList } from '../streams/changed-lists.ts';
import { ClientStream } from '../streams/client-stream.ts';
import type { ClientStreams } from '../streams/client-streams.ts';
import { streamOwnerOf } from '../streams/stream-owner.ts';
import { ClientSubscription, type Honoured } from '../subscriptions/client-subscription.ts';
import { type Filter, listMembers, readFilter } from '../subscriptions/filter.ts';
import { type Plan, planSubscriptions } from '../subscriptions/plan.ts';
import type { ReachDeps } from '../upstream/reach.ts';
import { describeEndpoint } from './discover.ts';
import { SERVER_INFO_META_KEY } from './self.ts';

export type ListenDeps = ReachDeps & { readonly streams: Pick<ClientStreams, 'add'>; readonly taskIds: TaskIds };

/**
 * `subscriptions/listen`: says first what of the filter is honoured, then which lists look different to this caller, each time after the
 * catalogue (architecture.md §5), and what servers tell of resources. Acknowledged when its servers have acknowledged it. For whatever
 * counts calls it has ended then; its stream lives on, until one of its servers ends its part.
 */
export function makeListen(deps: ListenDeps): Step {
  return function listen(ctx: CallContext): Outcome | Promise<Outcome> {
    const filter = readFilter(ctx);
    if ('code' in filter) return filter;
    const listening = new Listening(deps, ctx, filter);
    // Lists that are its caller's own a server tells of itself, and we of what grants change.
    const { catalogueMode = 'shared' } = ctx.endpointServer ?? {};
    const others = catalogueMode !== 'shared' ? { ...filter.others, ...listMembers(filter.lists) } : filter.others;
    const plans = planSubscriptions(ctx, { ...filter, others }, deps.taskIds);
    return listening.admit(ctx, plans) ?? (plans.length === 0 ? listening.acknowledge(ctx, {}) : listening.subscribe(ctx, plans));
  };
}

/** One stream from its request to its end. Keeps nothing of the call, whose snapshot would live as long. */
class Listening {
  readonly #deps: ListenDeps;
  readonly #id: string;
  readonly #lists: readonly ChangingList[];
  readonly #stream: ClientStream;
  readonly #subscription: ClientSubscription;
  /** What came before the acknowledgement, which is first on the stream; null once it is said. */
  #early: string[] | null = [];
  #takeOut = (): void => undefined;
  #isOver = false;

  constructor(deps: ListenDeps, ctx: CallContext, { lists }: Filter) {
    this.#deps = deps;
    this.#id = idText(ctx);
    const capabilities = describeEndpoint(ctx)?.capabilities ?? {};
    this.#lists = lists.filter((list) => capabilities[list] !== undefined);
    this.#subscription = new ClientSubscription(ctx, this.#id, {
      notified: (bytes) => this.#say(bytes.toString('utf8')),
      ended: () => this.#end(),
    });
    this.#stream = new ClientStream(ctx.response, { drained: () => undefined, left: () => this.#end() });
  }

  /** Held by the pod from here on, so that whatever ends a stream ends this one while it opens, too. */
  admit(ctx: CallContext, plans: readonly Plan[]): Refusal | undefined {
    const subscribed = plans.flatMap(({ objects, server }) => objects.map((object) => ({ serverId: server.id, object })));
    const admitted = this.#deps.streams.add({
      owner: streamOwnerOf(ctx, subscribed),
      listsChanged: (lists) => {
        for (const list of this.#lists) if (lists.has(list)) this.#say(this.#notification(`notifications/${list}/list_changed`, ''));
      },
      end: () => this.#end(),
    });
    if (typeof admitted === 'function') {
      this.#takeOut = admitted;
      return undefined;
    }
    this.#stream.release();
    return admitted;
  }

  async subscribe(ctx: CallContext, plans: readonly Plan[]): Promise<Outcome> {
    const opened = await this.#subscription.open(this.#deps, ctx, plans);
    if ('honoured' in opened) return this.acknowledge(ctx, opened.honoured);
    this.#end();
    this.#stream.release();
    return opened;
  }

  acknowledge(ctx: CallContext, honoured: Honoured): Outcome {
    if (this.#stream.isGone) this.#end();
    if (this.#isOver) return this.#leave(ctx);
    const all = { ...listMembers(this.#lists), ...honoured };
    this.#stream.tell(this.#notification('notifications/subscriptions/acknowledged', `"notifications":${JSON.stringify(all)},`));
    for (const early of this.#early ?? []) this.#stream.tell(early);
    this.#early = null;
    if (Object.keys(all).length > 0) {
      this.#stream.keepAlive();
    } else {
      // Nothing will ever come: the final result says so, and that coming back is of no use.
      this.#stream.tell(this.#finalResult(ctx));
      this.#end();
    }
    return ANSWERED;
  }

  #say(message: string): void {
    if (this.#isOver) return;
    if (this.#early === null) this.#stream.tell(message);
    else this.#early.push(message);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#takeOut();
    this.#subscription.close();
    if (this.#early === null && !this.#stream.isGone) this.#stream.end();
  }

  /** It was ended, or its client has left, while its servers were asked. */
  #leave(ctx: CallContext): Outcome {
    this.#subscription.close();
    this.#stream.release();
    if (!this.#stream.isGone) return refusal('http.overloaded', 'The stream was ended before it stood.');
    ctx.outcome = 'cancelled';
    return ANSWERED;
  }

  /** Every message names the request by its id. `members`: JSON text that ends with a comma, or nothing. */
  #notification(method: string, members: string): string {
    return `{"jsonrpc":"2.0","method":"${method}","params":{${members}"_meta":{"${META_KEYS.subscriptionId}":${this.#id}}}}`;
  }

  #finalResult(ctx: CallContext): string {
    const serverInfo = JSON.stringify(describeEndpoint(ctx)?.serverInfo ?? {});
    const meta = `"${META_KEYS.subscriptionId}":${this.#id},"${SERVER_INFO_META_KEY}":${serverInfo}`;
    return `{"jsonrpc":"2.0","id":${this.#id},"result":{"resultType":"complete","_meta":{${meta}}}}`;
  }
}

/** In the client's own spelling. */
function idText({ body, message }: CallContext): string {
  return message === null || message.idSpan === null ? 'null' : body.toString('utf8', message.idSpan.start, message.idSpan.end);
}
