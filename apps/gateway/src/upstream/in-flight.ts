import type { MessageId } from '@patchbay/mcp-wire';

/** Calls of legacy client sessions that wait on this pod, so that `notifications/cancelled` finds them. */
export type InFlight = {
  /** Returns how to take it out again. A second call under the same id does not displace the first. */
  add(sessionKey: string, id: MessageId, cancel: () => void): () => void;
  /** Cancels the call if it waits here. */
  cancel(sessionKey: string, id: MessageId): boolean;
};

export function makeInFlight(): InFlight {
  const calls = new Map<string, () => void>();
  const keyOf = (sessionKey: string, id: MessageId): string => `${sessionKey} ${JSON.stringify(id)}`;
  return {
    add(sessionKey, id, cancel) {
      const key = keyOf(sessionKey, id);
      if (calls.has(key)) return () => undefined;
      calls.set(key, cancel);
      return () => {
        calls.delete(key);
      };
    },
    cancel(sessionKey, id) {
      const cancel = calls.get(keyOf(sessionKey, id));
      cancel?.();
      return cancel !== undefined;
    },
  };
}
