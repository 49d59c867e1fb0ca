/** Server capabilities that Patchbay can deliver today, by name. */
const DELIVERABLE = ['tools', 'prompts', 'resources', 'completions'] as const;
const LISTED: ReadonlySet<string> = new Set(['tools', 'prompts', 'resources']);

export type Capabilities = Record<string, { listChanged?: true }>;

/**
 * Reduces what an upstream declares to what reaches a client through us: no `subscribe` or `logging`, because nothing would deliver them
 * (protocol.md trap 13). That a list changed is always told, whatever the upstream says of it: what a caller may use changes too.
 */
export function deliverableCapabilities(upstream: Readonly<Record<string, unknown>>): Capabilities {
  const capabilities: Capabilities = {};
  for (const name of DELIVERABLE) if (upstream[name] !== undefined) capabilities[name] = LISTED.has(name) ? { listChanged: true } : {};
  return capabilities;
}
