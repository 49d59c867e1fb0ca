import {
  ENV,
  INTERNAL_PATHS,
  type Mismatch,
  mismatchOf,
  type OwnSide,
  PROTOCOL,
  TOKEN_TAG_KEY_ID_PURPOSE,
  type VersionReply,
} from '@patchbay/contracts';
import type { InternalFleet } from '@patchbay/egress';
import { ConfigError } from '@patchbay/telemetry';
import { signingKeyId } from '@patchbay/vault';
import type { Config } from '../config.ts';
import type { Log } from '../snapshot/log.ts';

/** A start does not wait for a control plane that hangs for longer. */
const BOUNDS = { timeoutMs: 1_500, maxBytes: 64 * 1024 };
const AGAIN_EVERY_MS = 60_000;

/** Whether this gateway and its control planes can work together: protocol, keys and secret. */
export type Handshake = {
  /**
   * Asks every control plane, now and then every minute until `stop`. Rejects with a ConfigError where one differs now; one that is away, or
   * too old to say, is no reason not to start. What differs later is logged once and changes nothing that is enforced.
   */
  greet(): Promise<void>;
  /** Whether one differed when it last answered. */
  differs(): boolean;
  stop(): void;
};

export type HandshakeDeps = { readonly fleet: Pick<InternalFleet, 'askEach'>; readonly own: OwnSide; readonly log: Log };

/** What this gateway goes by. */
export function ownSideOf({ snapshotPublicKeys, tokenTagKeys }: Pick<Config, 'snapshotPublicKeys' | 'tokenTagKeys'>): OwnSide {
  return {
    protocol: PROTOCOL,
    secretVariable: ENV.gatewaySecretFile,
    keys: {
      snapshotKeyIds: snapshotPublicKeys.map(signingKeyId),
      tokenTagKeyId: tokenTagKeys.derive(TOKEN_TAG_KEY_ID_PURPOSE).current.id,
    },
  };
}

export function makeHandshake({ fleet, own, log }: HandshakeDeps): Handshake {
  const mismatches = new Map<string, Mismatch | null>();
  let timer: NodeJS.Timeout | undefined;

  async function ask(): Promise<void> {
    for (const reply of await fleet.askEach(INTERNAL_PATHS.version, BOUNDS))
      if (isWord(reply)) mismatches.set(reply.from.href, mismatchOf(reply, own));
  }

  async function askAgain(): Promise<void> {
    const before = new Map(mismatches);
    await ask();
    for (const [from, now] of mismatches) {
      if (now?.problem === before.get(from)?.problem) continue;
      if (now === null) log.info({ controlPlane: from }, 'this control plane and we can work together again');
      else log.error({ variable: now.variable, problem: now.problem }, 'we cannot work with a control plane: the last good state stays');
    }
  }

  return {
    async greet() {
      await ask();
      for (const mismatch of mismatches.values()) if (mismatch !== null) throw new ConfigError(mismatch.variable, mismatch.problem);
      timer = setInterval(() => void askAgain(), AGAIN_EVERY_MS).unref();
    },
    differs: () => [...mismatches.values()].some((mismatch) => mismatch !== null),
    stop: () => clearInterval(timer),
  };
}

/** A control plane that is away, or that fails, has said nothing new. */
function isWord({ distrust, status }: VersionReply): boolean {
  return distrust !== undefined || (status !== null && status < 500);
}
