import type { MessageId } from '@patchbay/mcp-wire';
import type { EventKind } from '../streams/numbered-stream.ts';
import { keyOf } from './rpc-text.ts';

/** A request of the server that waits for its client, and where it was put to it. */
export type ServerRequest = {
  readonly sessionId: string;
  readonly idText: string;
  readonly pass: (message: Buffer, kind: EventKind) => void;
};

const WAITING_MAX = 1_000;

/** What the server has asked its clients and not been told. Each is answered once, and only by the session that was asked. */
export class ServerRequests {
  readonly #waiting = new Map<string, ServerRequest>();

  /** False when too many wait already. */
  add(id: MessageId, request: ServerRequest): boolean {
    if (this.#waiting.size >= WAITING_MAX) return false;
    this.#waiting.set(keyOf(id), request);
    return true;
  }

  /** Whether this session was asked this; from now on it no longer waits. */
  answered(sessionId: string, id: MessageId): boolean {
    const key = keyOf(id);
    return this.#waiting.get(key)?.sessionId === sessionId && this.#waiting.delete(key);
  }

  /** The server wants no answer any more; null when it was not waiting. */
  withdraw(id: MessageId): ServerRequest | null {
    const key = keyOf(id);
    const request = this.#waiting.get(key) ?? null;
    this.#waiting.delete(key);
    return request;
  }

  /** What only this session could have answered. */
  removeOf(sessionId: string): ServerRequest[] {
    const removed: ServerRequest[] = [];
    for (const [key, request] of this.#waiting) {
      if (request.sessionId !== sessionId) continue;
      this.#waiting.delete(key);
      removed.push(request);
    }
    return removed;
  }
}
