/** Server capabilities that Patchbay can deliver today, by name. */
const DELIVERABLE = ['tools', 'prompts', 'resources', 'completions'] as const;

type Capabilities = Record<string, Record<string, never>>;

/**
 * Reduces what an upstream declares to what reaches a client through us: no `listChanged`, `subscribe` or `logging`, because
 * nothing would deliver them (protocol.md trap 13).
 */
export function deliverableCapabilities(upstream: Readonly<Record<string, unknown>>): Capabilities {
  const capabilities: Capabilities = {};
  for (const name of DELIVERABLE) if (upstream[name] !== undefined) capabilities[name] = {};
  return capabilities;
}
