import { type Refusal, refusal } from '@patchbay/errors';
import { negotiateLegacy } from '@patchbay/mcp-wire';
import { ANSWERED, type CallContext, type Outcome, type Step } from '../pipeline/context.ts';
import { respondResult } from '../pipeline/respond.ts';
import { clientFactsOf } from '../sessions/client-facts.ts';
import { bindingOf, type SessionOpener } from '../sessions/session-opener.ts';
import type { EndpointDescription } from '../snapshot/compiled.ts';
import { describeEndpoint } from './discover.ts';
import { notDiscovered } from './list.ts';

export type InitializeDeps = { readonly sessionOpener: Pick<SessionOpener, 'mint'> };

/**
 * Answers a legacy `initialize` from the snapshot: on the aggregated endpoint and for servers that speak 2026-07-28. Upstream
 * sessions open on first use (architecture.md §5).
 */
export function makeInitialize({ sessionOpener }: InitializeDeps): Step {
  return async function initialize(ctx: CallContext): Promise<Outcome> {
    const { body, message } = ctx;
    const description = describeEndpoint(ctx);
    if (message === null || description === null) return missing(ctx);
    const facts = clientFactsOf(body, message, negotiateLegacy(message.protocolVersion ?? ''));
    if ('code' in facts) return facts;
    const { header, recorded } = sessionOpener.mint(bindingOf(ctx), facts, null);
    await recorded;
    const { protocolVersion } = facts;
    ctx.response.setHeader('mcp-session-id', header);
    respondResult(ctx, `{"protocolVersion":"${protocolVersion}",${(description.initialized ??= initializedText(description))}`);
    return ANSWERED;
  };
}

/** The members after the version, and the end of the result. */
function initializedText({ capabilities, instructions, serverInfo }: EndpointDescription): string {
  return JSON.stringify({ capabilities, serverInfo, ...(instructions === null ? {} : { instructions }) }).slice(1);
}

function missing({ endpointServer }: CallContext): Refusal {
  return refusal('upstream.unreachable', endpointServer === null ? null : notDiscovered(endpointServer));
}
