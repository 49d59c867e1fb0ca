import { refusal } from '@patchbay/errors';
import { SUPPORTED_VERSIONS } from '@patchbay/mcp-wire';
import { ANSWERED, type CallContext, type Outcome } from '../pipeline/context.ts';
import { respondResult } from '../pipeline/respond.ts';
import { type Capabilities, deliverableCapabilities } from './deliverable-capabilities.ts';
import { notDiscovered } from './list.ts';
import { SERVER_INFO, SERVER_INFO_META_KEY } from './self.ts';

/** What an endpoint says of itself, whichever revision asks. */
export type EndpointDescription = {
  readonly capabilities: Capabilities;
  readonly serverInfo: unknown;
  readonly instructions: string | null;
};

/** Whatever the servers of today offer: a client asks once, and what a server brings tomorrow must not be out of its reach. */
const AGGREGATE_CAPABILITIES = { tools: {}, prompts: {}, resources: {}, completions: {} } as const;

/** Describes the aggregated endpoint, or one server by what discovery accepted of it; never asks an upstream. */
export function describeEndpoint({ endpointServer }: CallContext): EndpointDescription | null {
  if (endpointServer === null)
    return { capabilities: deliverableCapabilities(AGGREGATE_CAPABILITIES), serverInfo: SERVER_INFO, instructions: null };
  const { catalogue } = endpointServer;
  if (catalogue === null) return null;
  return {
    capabilities: deliverableCapabilities(catalogue.capabilities),
    serverInfo: catalogue.serverInfo,
    instructions: catalogue.instructions,
  };
}

/** Answers `server/discover` (revision 2026-07-28, server/discover). */
export function discover(ctx: CallContext): Outcome {
  const description = describeEndpoint(ctx);
  if (description === null) return refusal('upstream.unreachable', ctx.endpointServer === null ? null : notDiscovered(ctx.endpointServer));
  const { capabilities, instructions, serverInfo } = description;
  respondResult(
    ctx,
    JSON.stringify({
      resultType: 'complete',
      supportedVersions: SUPPORTED_VERSIONS,
      capabilities,
      ...(instructions === null ? {} : { instructions }),
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { [SERVER_INFO_META_KEY]: serverInfo },
    }),
  );
  return ANSWERED;
}
