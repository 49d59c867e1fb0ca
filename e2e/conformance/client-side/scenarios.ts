import type { ClientScenario } from '../suite.ts';

/** Of the suite's scenarios for clients those that are about what a proxy does; the others are about signing in, or about a client's own. */
export const CLIENT_SCENARIOS: readonly ClientScenario[] = [
  { name: 'tools_call', revision: '2025-11-25' },
  { name: 'elicitation-sep1034-client-defaults', revision: '2025-11-25' },
  { name: 'sse-retry', revision: '2025-11-25' },
  { name: 'json-schema-2020-12-preservation', revision: '2025-11-25' },
  { name: 'tools_call', revision: '2026-07-28' },
  { name: 'request-metadata', revision: '2026-07-28' },
  { name: 'sep-2322-client-request-state', revision: '2026-07-28' },
  { name: 'http-standard-headers', revision: '2026-07-28' },
  { name: 'http-custom-headers', revision: '2026-07-28' },
  { name: 'http-invalid-tool-headers', revision: '2026-07-28' },
  { name: 'json-schema-ref-no-deref', revision: '2026-07-28' },
  { name: 'json-schema-2020-12-preservation', revision: '2026-07-28' },
];
