import { refusal } from '@patchbay/errors';
import { SUPPORTED_VERSIONS } from '@patchbay/mcp-wire';
import { fingerprint } from '@patchbay/policy';
import { isPermitted } from '../aggregate/is-permitted.ts';
import { ANSWERED, type CallContext, type Outcome } from '../pipeline/context.ts';
import { respondResult } from '../pipeline/respond.ts';
import type { Capabilities, CompiledServer, EndpointDescription } from '../snapshot/compiled.ts';
import { takesSubscriptions } from '../subscriptions/plan.ts';
import { deliverableCapabilities, routedExtensions, sameEraCapabilities } from './deliverable-capabilities.ts';
import { notDiscovered } from './list.ts';
import { SERVER_INFO, SERVER_INFO_META_KEY } from './self.ts';

/** Descriptions kept per snapshot, and in them the texts that say them. */
const DESCRIPTIONS_MAX = 512;

/** Whatever the servers of today offer: a client asks once, and what a server brings tomorrow must not be out of its reach. */
const AGGREGATE_CAPABILITIES = { tools: {}, prompts: {}, resources: {}, completions: {}, logging: {} } as const;

/**
 * Describes the aggregated endpoint, or one server by what discovery accepted of it; never asks an upstream. Made once for a set of
 * permissions and a snapshot: it looks at every server.
 */
export function describeEndpoint(ctx: CallContext): EndpointDescription | null {
  const { endpointServer, era, principal, snapshot } = ctx;
  if (snapshot === null || principal === null) return null;
  const key = `${era} ${endpointServer?.id ?? ''} ${fingerprint(snapshot.grants, principal)}`;
  const known = snapshot.descriptions.get(key);
  if (known !== undefined) return known;
  const description = describe(ctx);
  if (snapshot.descriptions.size >= DESCRIPTIONS_MAX) snapshot.descriptions.clear();
  if (description !== null) snapshot.descriptions.set(key, description);
  return description;
}

function describe(ctx: CallContext): EndpointDescription | null {
  const { endpointServer, era } = ctx;
  if (endpointServer === null) return described({ capabilities: aggregateCapabilities(ctx), serverInfo: SERVER_INFO, instructions: null });
  const { catalogue } = endpointServer;
  if (catalogue === null) return null;
  const reduced = catalogue.era === era ? sameEraCapabilities : deliverableCapabilities;
  return described({
    capabilities: withSubscriptions(reduced(catalogue.capabilities), [endpointServer]),
    serverInfo: catalogue.serverInfo,
    instructions: catalogue.instructions,
  });
}

/** Without the texts that are made on first use. */
function described(members: Omit<EndpointDescription, 'discovered' | 'initialized'>): EndpointDescription {
  return { ...members, discovered: null, initialized: null };
}

/** With the extensions of those servers that the caller may use; they are of the present revision, and so must the client be. */
function aggregateCapabilities(ctx: CallContext): Capabilities {
  const capabilities = deliverableCapabilities(AGGREGATE_CAPABILITIES);
  const permitted = [...(ctx.snapshot?.serversBySlug.values() ?? [])].filter((server) =>
    isPermitted(ctx, server, { kind: 'server', name: server.slug }),
  );
  if (ctx.era === 'legacy') return withSubscriptions(capabilities, permitted);
  const declared = permitted.flatMap(({ catalogue }) => (catalogue?.era === 'modern' ? [catalogue.capabilities] : []));
  const extensions = routedExtensions(declared);
  return withSubscriptions(extensions === null ? capabilities : { ...capabilities, extensions }, permitted);
}

/** A client may subscribe to resources where one of these servers takes subscriptions, of whichever era either is. */
function withSubscriptions(capabilities: Capabilities, servers: readonly CompiledServer[]): Capabilities {
  if (!servers.some(takesSubscriptions)) return capabilities;
  return { ...capabilities, resources: { ...capabilities['resources'], subscribe: true } };
}

/** Log messages reach a client of this revision on the stream of each request that asks for them, whatever the revision of its server. */
function carriesLogs({ endpointServer }: CallContext): boolean {
  return endpointServer === null || endpointServer.catalogue?.capabilities['logging'] !== undefined;
}

/** Answers `server/discover` (revision 2026-07-28, server/discover). */
export function discover(ctx: CallContext): Outcome {
  const description = describeEndpoint(ctx);
  if (description === null) return refusal('upstream.unreachable', ctx.endpointServer === null ? null : notDiscovered(ctx.endpointServer));
  respondResult(ctx, (description.discovered ??= discoveredText(ctx, description)));
  return ANSWERED;
}

function discoveredText(ctx: CallContext, { capabilities, instructions, serverInfo }: EndpointDescription): string {
  return JSON.stringify({
    resultType: 'complete',
    supportedVersions: SUPPORTED_VERSIONS,
    capabilities: carriesLogs(ctx) ? { ...capabilities, logging: {} } : capabilities,
    ...(instructions === null ? {} : { instructions }),
    ttlMs: 0,
    cacheScope: 'private',
    _meta: { [SERVER_INFO_META_KEY]: serverInfo },
  });
}
