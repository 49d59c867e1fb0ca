import type { Server } from 'node:http';
import { isDraining } from '@patchbay/telemetry';

export type ReadyDeps = {
  readonly calls: Server;
  /** Of the state: null when it is whole. */
  readonly notReadyBecause: string | null;
};

/** Why nobody should send calls here, in words; null: ready. The state may be whole before the listener for calls is open. */
export function whyNotReady({ calls, notReadyBecause }: ReadyDeps): string | null {
  if (isDraining(calls)) return 'draining: told to stop';
  return notReadyBecause ?? (calls.listening ? null : 'starting: calls are not taken yet');
}
