import type { Reply } from './reply.ts';

/** A request the server has not answered yet. */
export type Flight = {
  readonly sessionId: string;
  /** Its id and progress token as the server knows them. */
  readonly key: string;
  readonly tokenKey: string | null;
  /** As the caller knows them. */
  readonly callersKey: string;
  readonly idText: Buffer;
  readonly tokenText: Buffer | null;
  readonly reply: Reply;
};

/** All requests that one server still has to answer, in the order of their sending. */
export class Flights {
  readonly #flights = new Map<string, Flight>();
  readonly #byToken = new Map<string, Flight>();

  get size(): number {
    return this.#flights.size;
  }

  add(flight: Flight): void {
    this.#flights.set(flight.key, flight);
    if (flight.tokenKey !== null) this.#byToken.set(flight.tokenKey, flight);
  }

  /** Forgets it; a late answer to it is dropped. */
  release(flight: Flight): void {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
    if (flight.tokenKey !== null && this.#byToken.get(flight.tokenKey) === flight) this.#byToken.delete(flight.tokenKey);
  }

  byKey(key: string): Flight | undefined {
    return this.#flights.get(key);
  }

  byToken(key: string): Flight | undefined {
    return this.#byToken.get(key);
  }

  /** By the id that its caller gave it. */
  ofCaller(sessionId: string, callersKey: string): Flight | null {
    for (const flight of this.#flights.values()) if (flight.sessionId === sessionId && flight.callersKey === callersKey) return flight;
    return null;
  }

  /** A copy, the eldest first; `sessionId`: of one session alone. */
  list(sessionId: string | null = null): Flight[] {
    const all = [...this.#flights.values()];
    return sessionId === null ? all : all.filter((flight) => flight.sessionId === sessionId);
  }
}
