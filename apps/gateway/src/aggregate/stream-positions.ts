/** By slug, the last event that a client has of each server's general stream; the one heard last comes last. */
export type StreamPositions = Map<string, string>;

/** Tells such an id from that of a call's stream, which begins with a slug. */
const MARK = '?';
/** Longer headers are cut off on the way; what then has no room is what was heard longest ago. */
const CHARACTERS_MAX = 2_048;

/** The event id of the one stream that carries those of several servers: each event says where the client stands in all of them. */
export function positionsText(positions: StreamPositions): string {
  for (;;) {
    const text = MARK + new URLSearchParams([...positions]).toString();
    const [oldest] = positions.keys();
    if (text.length <= CHARACTERS_MAX || oldest === undefined) return text;
    positions.delete(oldest);
  }
}

/** null: no such id. One that is made up names places in streams of the caller's own session, or nothing. */
export function readPositions(text: string): StreamPositions | null {
  return text.startsWith(MARK) ? new Map(new URLSearchParams(text.slice(MARK.length))) : null;
}
