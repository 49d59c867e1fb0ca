/** Which sessions of a process want to hear of which resource, so that one that does not any more takes nothing from the others. */
export class Subscriptions {
  readonly #byUri = new Map<string, Set<string>>();

  add(sessionId: string, uri: string): void {
    const sessions = this.#byUri.get(uri) ?? new Set<string>();
    this.#byUri.set(uri, sessions.add(sessionId));
  }

  /** Whether somebody else still wants it. */
  remove(sessionId: string, uri: string): boolean {
    const sessions = this.#byUri.get(uri);
    sessions?.delete(sessionId);
    if (sessions?.size === 0) this.#byUri.delete(uri);
    return this.#byUri.has(uri);
  }

  /** The session has ended; the answer is what nobody wants any more. */
  removeAll(sessionId: string): string[] {
    const wanted = [...this.#byUri].flatMap(([uri, sessions]) => (sessions.has(sessionId) ? [uri] : []));
    return wanted.filter((uri) => !this.remove(sessionId, uri));
  }
}
