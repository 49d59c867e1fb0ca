import { discover } from '../methods/discover.ts';
import type { ListMethod } from '../methods/list-entries.ts';
import { ANSWERED, type CallContext, type Outcome, type Step } from './context.ts';
import { respondResult } from './respond.ts';

/** The built-in methods that need more than the snapshot. */
export type AnswerEarlyDeps = {
  readonly list: (ctx: CallContext, method: ListMethod) => Outcome | Promise<Outcome>;
  /** From the snapshot: aggregated endpoint, servers of revision 2026-07-28. */
  readonly initialize: Step;
  /** The one list-or-open method that is not answered from the snapshot: legacy `initialize` on a legacy server's own endpoint. */
  readonly initializeForwarded: Step;
  /** The same at a server of revision 2026-07-28, if it keeps sessions; else from the snapshot. */
  readonly initializeEither: Step;
  readonly listen: Step;
  readonly deleteSession: Step;
  readonly openStream: Step;
  readonly setLevel: Step;
  readonly changeSubscription: Step;
  readonly forwardNotification: Step;
};

/** Answers what needs no upstream: lists and discovery from the snapshot, sessions, notifications. */
export function makeAnswerEarly(deps: AnswerEarlyDeps): Step {
  return function answerEarly(ctx: CallContext): Outcome | Promise<Outcome> {
    const { target } = ctx;
    if (target === null || target.kind !== 'builtin') return undefined;
    switch (target.method) {
      case 'initialize':
        if (target.server === null || target.server.catalogue === null) return deps.initialize(ctx);
        return target.server.catalogue.era === 'legacy' ? deps.initializeForwarded(ctx) : deps.initializeEither(ctx);
      case 'server/discover':
        return discover(ctx);
      case 'subscriptions/listen':
        return deps.listen(ctx);
      case 'ping':
        respondResult(ctx, '{}');
        return ANSWERED;
      case 'session/delete':
        return deps.deleteSession(ctx);
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        return deps.changeSubscription(ctx);
      case 'logging/setLevel':
        return deps.setLevel(ctx);
      case 'stream':
        return deps.openStream(ctx);
      case 'notification':
        return deps.forwardNotification(ctx);
      case 'tools/list':
      case 'prompts/list':
      case 'resources/list':
      case 'resources/templates/list':
        return deps.list(ctx, target.method);
    }
  };
}
