import { type Refusal, refusal } from '@patchbay/errors';
import { negotiateLegacy } from '@patchbay/mcp-wire';
import { ANSWERED, type CallContext, type Outcome } from '../pipeline/context.ts';
import { respondResult } from '../pipeline/respond.ts';
import { describeEndpoint } from './discover.ts';
import { notDiscovered } from './list.ts';

/** Seals a session for this caller and endpoint; the text is the `Mcp-Session-Id`. */
export type MintSession = (ctx: CallContext, protocolVersion: string) => string;

/**
 * Answers a legacy `initialize` from the snapshot: on the aggregated endpoint and for servers that speak 2026-07-28. Upstream
 * sessions open on first use (architecture.md §5).
 */
export function makeInitialize(mintSession: MintSession): (ctx: CallContext) => Outcome {
  return function initialize(ctx: CallContext): Outcome {
    const description = describeEndpoint(ctx);
    if (description === null) return missing(ctx);
    const protocolVersion = negotiateLegacy(ctx.message?.protocolVersion ?? '');
    const { capabilities, instructions, serverInfo } = description;
    ctx.response.setHeader('mcp-session-id', mintSession(ctx, protocolVersion));
    respondResult(ctx, JSON.stringify({ protocolVersion, capabilities, serverInfo, ...(instructions === null ? {} : { instructions }) }));
    return ANSWERED;
  };
}

function missing({ endpointServer }: CallContext): Refusal {
  return refusal('upstream.unreachable', endpointServer === null ? null : notDiscovered(endpointServer));
}
