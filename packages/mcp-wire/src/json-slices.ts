import { isUtf8 } from 'node:buffer';
import { decodeString } from './json-text.ts';
import { JsonWalker, type JsonLimits } from './json-walker.ts';
import type { Span } from './span.ts';

/** Wide enough for a catalogue of the largest server we take; a message from a caller goes through `scanMessage` instead. */
const LIMITS: JsonLimits = { depthMax: 128, elementsMax: 4_000_000 };

const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;

/** One member of an object, and the spans of its name (with quotes) and value. */
export type Member = { readonly name: string; readonly nameSpan: Span; readonly valueSpan: Span };

/** The members of the object at `path` (empty: the document itself), in order; null when it is not there or not an object. */
export function sliceMembers(bytes: Buffer, path: readonly string[]): Member[] | null {
  const span = sliceMember(bytes, path);
  return span === null || bytes[span.start] !== OPEN_OBJECT ? null : membersOf(bytes, span);
}

/**
 * The value at an object path, as the writer wrote it. Null when the document is not JSON, the path is not there, or a name on it
 * appears twice, so that no two readers can take different values for it.
 */
export function sliceMember(bytes: Buffer, path: readonly string[]): Span | null {
  let span = documentSpan(bytes);
  for (const name of path) {
    if (span === null || bytes[span.start] !== OPEN_OBJECT) return null;
    const found: readonly Member[] = membersOf(bytes, span).filter((member) => member.name === name);
    span = found.length === 1 && found[0] !== undefined ? found[0].valueSpan : null;
  }
  return span;
}

/** The elements of the array at an object path, as the writer wrote them; null as for `sliceMember`, or when it is no array. */
export function sliceElements(bytes: Buffer, path: readonly string[]): Span[] | null {
  const span = sliceMember(bytes, path);
  if (span === null || bytes[span.start] !== OPEN_ARRAY) return null;
  const walker = new JsonWalker(bytes, LIMITS);
  const elements: Span[] = [];
  let i = walker.space(span.start + 1);
  if (bytes[i] === CLOSE_ARRAY) return elements;
  for (;;) {
    const end = walker.value(i, 0);
    elements.push({ start: i, end });
    i = walker.space(end);
    if (bytes[i] !== COMMA) return elements;
    i = walker.space(i + 1);
  }
}

/** Checks the whole document once; what is sliced out of it afterwards is known to be JSON. */
function documentSpan(bytes: Buffer): Span | null {
  if (!isUtf8(bytes)) return null;
  const walker = new JsonWalker(bytes, LIMITS);
  const start = walker.space(0);
  const end = walker.value(start, 0);
  return end < 0 || walker.space(end) !== bytes.length ? null : { start, end };
}

function membersOf(bytes: Buffer, { start }: Span): Member[] {
  const walker = new JsonWalker(bytes, LIMITS);
  const members: Member[] = [];
  let i = walker.space(start + 1);
  while (bytes[i] !== CLOSE_OBJECT) {
    const nameSpan = { start: i, end: walker.string(i) };
    const name = decodeString(bytes, nameSpan.start, nameSpan.end, walker.escaped);
    const valueStart = walker.colon(nameSpan.end);
    const valueSpan = { start: valueStart, end: walker.value(valueStart, 0) };
    members.push({ name, nameSpan, valueSpan });
    i = walker.space(valueSpan.end);
    if (bytes[i] === COMMA) i = walker.space(i + 1);
  }
  return members;
}
