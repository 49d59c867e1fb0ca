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

/** An object's own span and its members in order. */
export type SlicedObject = { readonly span: Span; readonly members: readonly Member[] };

/** Reads a document that is one object; null when it is not JSON or something else. One pass. */
export function sliceObject(bytes: Buffer): SlicedObject | null {
  if (!isUtf8(bytes)) return null;
  const walker = new JsonWalker(bytes, LIMITS);
  const start = walker.space(0);
  const object = bytes[start] === OPEN_OBJECT ? objectAt(walker, start) : null;
  return object === null || walker.space(object.span.end) !== bytes.length ? null : object;
}

/** The value of a member by its name; null when there is none, or more than one, so that no two readers can take different ones. */
export function memberOf({ members }: SlicedObject, name: string): Span | null {
  const [first, second] = members.filter((member) => member.name === name);
  return first === undefined || second !== undefined ? null : first.valueSpan;
}

/** The members of the object at `path`, in order; null as for `sliceMember`, or when it is no object. */
export function sliceMembers(bytes: Buffer, path: readonly string[]): readonly Member[] | null {
  let object = sliceObject(bytes);
  for (const name of path) {
    if (object === null) return null;
    const span = memberOf(object, name);
    object = span === null || bytes[span.start] !== OPEN_OBJECT ? null : objectAt(new JsonWalker(bytes, LIMITS), span.start);
  }
  return object === null ? null : object.members;
}

/**
 * The value at a path of at least one name into a document that is an object, as the writer wrote it. Null when the document is
 * not JSON, the path is not there, or a name on it appears twice.
 */
export function sliceMember(bytes: Buffer, path: readonly string[]): Span | null {
  const name = path.at(-1);
  if (name === undefined) return null;
  const found = sliceMembers(bytes, path.slice(0, -1))?.filter((member) => member.name === name);
  return found?.length === 1 && found[0] !== undefined ? found[0].valueSpan : null;
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

/** A document that is one object, without some of its members; the others keep their bytes. Null when it is something else. */
export function withoutMembers(bytes: Buffer, names: ReadonlySet<string>): Buffer | null {
  const object = sliceObject(bytes);
  if (object === null || !object.members.some(({ name }) => names.has(name))) return object === null ? null : bytes;
  const kept = object.members.filter(({ name }) => !names.has(name));
  return Buffer.from(`{${kept.map(({ nameSpan, valueSpan }) => bytes.toString('utf8', nameSpan.start, valueSpan.end)).join(',')}}`);
}

function objectAt(walker: JsonWalker, start: number): SlicedObject | null {
  const { bytes } = walker;
  const members: Member[] = [];
  let i = walker.space(start + 1);
  if (bytes[i] === CLOSE_OBJECT) return { span: { start, end: i + 1 }, members };
  for (;;) {
    const nameEnd = walker.string(i);
    if (nameEnd < 0) return null;
    const name = decodeString(bytes, i, nameEnd, walker.escaped);
    const valueStart = walker.colon(nameEnd);
    const valueEnd = valueStart < 0 ? -1 : walker.value(valueStart, 1);
    if (valueEnd < 0) return null;
    members.push({ name, nameSpan: { start: i, end: nameEnd }, valueSpan: { start: valueStart, end: valueEnd } });
    i = walker.space(valueEnd);
    if (bytes[i] === CLOSE_OBJECT) return { span: { start, end: i + 1 }, members };
    if (bytes[i] !== COMMA) return null;
    i = walker.space(i + 1);
  }
}
