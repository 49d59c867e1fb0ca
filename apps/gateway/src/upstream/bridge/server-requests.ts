import { type Edit, type MessageId, type ScannedMessage, sliceMember, type Span, splice } from '@patchbay/mcp-wire';
import { attributionEdits, attributionOf } from '../asking/attribution.ts';

/** Under which id, or progress token, a client of the aggregated endpoint gets to know a server's own: it says whose it is. */
const SEPARATOR = ':';
const OWN = /^(?:"(?:[^"\\]|\\.)*"|-?[0-9.eE+-]+)$/;

/** A server's own id or token. */
export type OwnedId = { readonly slug: string /** JSON text, as the server spelled it. */; readonly own: string };

/** A server's request as a client of the aggregated endpoint is asked it: with ids that say whose they are, and in words who asks. */
export function exposeRequest(bytes: Buffer, message: ScannedMessage, slug: string): Buffer {
  const edits: Edit[] = [];
  for (const span of [message.idSpan, message.progressTokenSpan]) if (span !== null) edits.push(exposed(bytes, span, slug));
  if (message.method === 'elicitation/create') edits.push(...attributionEdits(bytes, ['params', 'message'], attributionOf(slug)));
  return splice(
    bytes,
    edits.toSorted((a, b) => a.start - b.start),
  );
}

/** A server takes a request of its own back: by the id that the client knows. Other messages as they are. */
export function exposeWithdrawal(bytes: Buffer, { method, requestId }: ScannedMessage, slug: string): Buffer {
  const span = method === 'notifications/cancelled' && requestId !== null ? sliceMember(bytes, ['params', 'requestId']) : null;
  return span === null ? bytes : splice(bytes, [exposed(bytes, span, slug)]);
}

function exposed(bytes: Buffer, span: Span, slug: string): Edit {
  return { ...span, replacement: JSON.stringify(slug + SEPARATOR + bytes.toString('utf8', span.start, span.end)) };
}

/** Where an event of a server's stands, for a client of the aggregated endpoint. */
export function exposedEventId(slug: string, id: string): string {
  return slug + SEPARATOR + id;
}

/** null: none that we gave. One that is made up names a place in a stream of the caller's own session, or nothing. */
export function readExposedEventId(text: string): { readonly slug: string; readonly id: string } | null {
  const at = text.indexOf(SEPARATOR);
  return at <= 0 ? null : { slug: text.slice(0, at), id: text.slice(at + 1) };
}

/** null: none that we gave. Whoever makes one up speaks to its own session with that server, and to nobody else's. */
export function readExposedId(id: MessageId | null): OwnedId | null {
  const at = typeof id === 'string' ? id.indexOf(SEPARATOR) : -1;
  if (typeof id !== 'string' || at <= 0) return null;
  const own = id.slice(at + 1);
  return OWN.test(own) && isJson(own) ? { slug: id.slice(0, at), own } : null;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
