import type { Logger } from '@patchbay/telemetry';
import { Fault, refusal } from '@patchbay/errors';
import { ANSWERED, type CallContext, type Step } from './context.ts';
import { refuse } from './refuse.ts';

export type RunDeps = {
  readonly steps: readonly Step[];
  /** Called once for each call, before `record`; must not throw. */
  readonly began: () => void;
  /** Always called, exactly once, whatever happened; must not throw. */
  readonly record: (ctx: CallContext) => void;
  readonly logger: Pick<Logger, 'error'>;
};

/** Takes one call through the steps in order; refusals are answered in the protocol's form, faults as `internal`. */
export function makeRun({ steps, began, record, logger }: RunDeps): (ctx: CallContext) => Promise<void> {
  return async function run(ctx: CallContext): Promise<void> {
    began();
    try {
      for (const step of steps) {
        const pending = step(ctx);
        // A warm call's steps are synchronous: awaiting each would cost a turn of the microtask queue a step.
        const outcome = pending instanceof Promise ? await pending : pending;
        if (outcome === ANSWERED) return;
        if (outcome !== undefined) {
          ctx.outcome = outcome.code;
          refuse(ctx, outcome);
          return;
        }
      }
    } catch (error) {
      const code = error instanceof Fault ? error.code : 'internal';
      ctx.outcome = code;
      logger.error({ err: error, organisation: ctx.organisationSlug, server: ctx.serverSlug, method: ctx.message?.method }, 'call failed');
      refuse(ctx, refusal(code));
    } finally {
      record(ctx);
    }
  };
}
