import { INTERNAL_PATHS } from '@patchbay/contracts';
import { createInternalFleet, readAll } from '@patchbay/egress';
import type { AskControlPlane } from './launch-specs.ts';

const ANSWER_WITHIN_MS = 5_000;
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

export type ControlPlane = { readonly ask: AskControlPlane; close(): Promise<void> };

/** Asks a control plane's internal listener for launch specifications, as a stdio host. */
export function createControlPlane(baseUrls: readonly URL[], bearer: { reveal(): string }): ControlPlane {
  const client = createInternalFleet({ baseUrls, bearer, timeoutMs: ANSWER_WITHIN_MS, maxBytes: ANSWER_BYTES_MAX, connections: 4 });
  return {
    ask: async ({ organisationId, serverId }, generation) => {
      const path = INTERNAL_PATHS.launch(organisationId, serverId);
      const { status, body } = await client.request(`${path}?generation=${encodeURIComponent(generation)}`);
      return { status, text: (await readAll(body)).toString('utf8') };
    },
    close: () => client.close(),
  };
}
