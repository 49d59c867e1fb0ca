import type { Capabilities } from '../snapshot/compiled.ts';
import { TASKS_EXTENSION } from '../upstream/asking/declared.ts';

/** Server capabilities that Patchbay can deliver today, by name. */
const DELIVERABLE = ['tools', 'prompts', 'resources', 'completions', 'logging'] as const;
const LISTED: ReadonlySet<string> = new Set(['tools', 'prompts', 'resources']);

/**
 * Reduces what an upstream declares to what reaches a client through us: without `subscribe`, which is told where we deliver it
 * (protocol.md trap 13). That a list changed is always told, whatever the upstream says of it: what a caller may use changes too.
 */
export function deliverableCapabilities(upstream: Readonly<Record<string, unknown>>): Capabilities {
  const capabilities: Capabilities = {};
  for (const name of DELIVERABLE) if (upstream[name] !== undefined) capabilities[name] = LISTED.has(name) ? { listChanged: true } : {};
  return capabilities;
}

/** What client and server agree on between them, where both speak one era: we carry their methods and fields as they are. */
const BETWEEN_THEM = ['experimental', 'extensions', 'tasks'] as const;

/** What a server of the client's own era declares, reduced to what reaches the client. */
export function sameEraCapabilities(upstream: Readonly<Record<string, unknown>>): Capabilities {
  const capabilities = deliverableCapabilities(upstream);
  for (const name of BETWEEN_THEM) {
    const declared = upstream[name];
    if (typeof declared === 'object' && declared !== null) capabilities[name] = declared as Readonly<Record<string, unknown>>;
  }
  return capabilities;
}

/** The same for a client whose session is one with a legacy server: updates of resources reach it too. */
export function sessionCapabilities(upstream: Readonly<Record<string, unknown>>): Capabilities {
  const capabilities = sameEraCapabilities(upstream);
  const { resources } = upstream;
  const isSubscribable = typeof resources === 'object' && resources !== null && 'subscribe' in resources && resources.subscribe === true;
  return isSubscribable ? { ...capabilities, resources: { ...capabilities['resources'], subscribe: true } } : capabilities;
}

/** Extensions that work where several servers share an endpoint: their ids and URIs name their server there. */
const ROUTED_EXTENSIONS = [TASKS_EXTENSION, 'io.modelcontextprotocol/ui'] as const;

/** Those of them that some of these servers declares. */
export function routedExtensions(declared: readonly Readonly<Record<string, unknown>>[]): Readonly<Record<string, unknown>> | null {
  const routed: Record<string, unknown> = {};
  for (const { extensions } of declared) {
    if (typeof extensions !== 'object' || extensions === null) continue;
    for (const name of ROUTED_EXTENSIONS) if (Object.hasOwn(extensions, name)) routed[name] = {};
  }
  return Object.keys(routed).length === 0 ? null : routed;
}
