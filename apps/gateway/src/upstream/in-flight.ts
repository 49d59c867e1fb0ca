import type { MessageId } from '@patchbay/mcp-wire';
import type { Bus } from '@patchbay/ports';
import { type Keyring, open, seal } from '@patchbay/vault';

export type InFlightDeps = {
  readonly bus: Pick<Bus, 'publish' | 'subscribe'>;
  /** The fleet's session sealing keys: nobody else can take a call back. */
  readonly keyring: Keyring;
  readonly clock: { nowMs(): number };
  readonly logger: { warn(fields: object, message: string): void };
};

/** Calls of legacy client sessions that wait on this pod, so that `notifications/cancelled` finds them, whichever pod gets it. */
export type InFlight = {
  /** Returns how to take it out again. A second call under the same id does not displace the first. */
  add(sessionKey: string, id: MessageId, cancel: () => void): () => void;
  /** Cancels the call if it waits here. */
  cancel(sessionKey: string, id: MessageId): boolean;
  /** Tells the other pods to. Never rejects: a message that is lost is a cancellation that came too late. */
  cancelElsewhere(sessionKey: string, id: MessageId): Promise<void>;
  listen(): Promise<void>;
};

/** Who repeats a message later takes back no call that has the same id then. */
const LIFETIME_MS = 60_000;
/** Longer ones would not fit into a message; no client has them. */
const ID_CHARACTERS_MAX = 1_024;
const CONTEXT = ['session-cancel'];

export function makeInFlight({ bus, clock, logger, ...deps }: InFlightDeps): InFlight {
  const keyring = deps.keyring.derive('session-cancel');
  const calls = new Map<string, () => void>();
  const keyOf = (sessionKey: string, id: MessageId): string => `${sessionKey} ${JSON.stringify(id)}`;

  function cancel(sessionKey: string, id: MessageId): boolean {
    const cancelCall = calls.get(keyOf(sessionKey, id));
    cancelCall?.();
    return cancelCall !== undefined;
  }

  return {
    add(sessionKey, id, cancelCall) {
      const key = keyOf(sessionKey, id);
      if (calls.has(key)) return () => undefined;
      calls.set(key, cancelCall);
      return () => {
        calls.delete(key);
      };
    },
    cancel,
    async cancelElsewhere(sessionKey, id) {
      if (JSON.stringify(id).length > ID_CHARACTERS_MAX) return;
      const message = seal(keyring, JSON.stringify([clock.nowMs(), sessionKey, id]), CONTEXT);
      await bus
        .publish('sessions', message)
        .catch((error: unknown) => logger.warn({ err: error }, 'cannot tell other pods of a cancellation'));
    },
    async listen() {
      const onMessage = (message: string): void => {
        const opened = open(keyring, message, CONTEXT);
        if (opened === null) return;
        // The seal vouches for the form: only we write it.
        const [saidAtMs, sessionKey, id] = JSON.parse(opened.toString('utf8')) as [number, string, MessageId];
        if (Math.abs(clock.nowMs() - saidAtMs) < LIFETIME_MS) cancel(sessionKey, id);
      };
      await bus.subscribe('sessions', { onMessage, onGap: () => undefined });
    },
  };
}
