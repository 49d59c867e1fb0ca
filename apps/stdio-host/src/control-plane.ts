import { ENV, INTERNAL_PATHS, isReadable, mismatchOf, PROTOCOL, PROTOCOL_HEADER } from '@patchbay/contracts';
import { createInternalFleet, readAll } from '@patchbay/egress';
import { ConfigError } from '@patchbay/telemetry';
import type { AskControlPlane } from './launch-specs.ts';

const ANSWER_WITHIN_MS = 5_000;
/** A start does not wait for a control plane that hangs for longer. */
const GREETING = { timeoutMs: 1_500, maxBytes: 64 * 1024 };
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/** What we present, and by whom control planes are known over TLS. */
type Presenting = { readonly bearer: { reveal(): string }; readonly ca: string | null };

export type ControlPlane = {
  readonly ask: AskControlPlane;
  /** Once, at start. Rejects with a ConfigError that says why we cannot work with one of the control planes; that it is away is no reason. */
  greet(): Promise<void>;
  close(): Promise<void>;
};

/** Asks a control plane's internal listener for launch specifications, as a stdio host. One of a version that is not ours is as good as away. */
export function createControlPlane(baseUrls: readonly URL[], { bearer, ca }: Presenting): ControlPlane {
  const client = createInternalFleet({
    baseUrls,
    bearer,
    ca,
    understands: ({ headers }) => isReadable(headers[PROTOCOL_HEADER]),
    ...{ timeoutMs: ANSWER_WITHIN_MS, maxBytes: ANSWER_BYTES_MAX, connections: 4 },
  });
  return {
    async greet() {
      for (const reply of await client.askEach(INTERNAL_PATHS.version, GREETING)) {
        const mismatch = mismatchOf(reply, { protocol: PROTOCOL, secretVariable: ENV.stdioHostSecretFile, keys: null });
        if (mismatch !== null) throw new ConfigError(mismatch.variable, mismatch.problem);
      }
    },
    ask: async ({ organisationId, serverId }, generation, confines) => {
      const path = INTERNAL_PATHS.launch(organisationId, serverId);
      const { status, body } = await client.request(
        `${path}?generation=${encodeURIComponent(generation)}${confines ? '' : '&confines=no'}`,
      );
      return { status, text: (await readAll(body)).toString('utf8') };
    },
    close: () => client.close(),
  };
}
