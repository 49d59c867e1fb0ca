import { isObject } from '../is-object.ts';
import { refusal, type Refusal } from '@patchbay/errors';
import { sliceMember } from '../json-slices.ts';
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts';
import type { HeaderBag } from './headers.ts';

/** An argument that is mirrored into `Mcp-Param-<header>` (SEP-2243). */
export type ParamAnnotation = {
  readonly header: string;
  /** Names from the arguments object down to the value. */
  readonly path: readonly string[];
  readonly type: 'string' | 'integer' | 'boolean';
};

/** `problem` is a sentence for the admin: a tool with a broken annotation must not be listed. */
export type ParamAnnotations =
  | { readonly ok: true; readonly annotations: readonly ParamAnnotation[] }
  | { readonly ok: false; readonly problem: string };

const KEYWORD = 'x-mcp-header';
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const INTEGER = /^-?(?:0|[1-9][0-9]*)$/;
/** Keywords whose values are data, not schemas: an `x-mcp-header` in there annotates nothing. */
const DATA_KEYWORDS = new Set(['default', 'const', 'enum', 'examples']);
/** Keywords whose values are maps from free names to schemas. */
const MAP_KEYWORDS = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions']);

type Visit = { readonly node: unknown; readonly path: readonly string[]; readonly reachable: boolean };

/** Collects the annotations of a tool's inputSchema, or says which rule one of them breaks. Linear in the schema, no recursion. */
export function paramAnnotations(inputSchema: unknown): ParamAnnotations {
  const annotations: ParamAnnotation[] = [];
  const headers = new Set<string>();
  const todo: Visit[] = [{ node: inputSchema, path: [], reachable: true }];
  for (let visit = todo.pop(); visit !== undefined; visit = todo.pop()) {
    if (Array.isArray(visit.node)) {
      for (const node of visit.node) todo.push({ node, path: visit.path, reachable: false });
    } else if (isObject(visit.node)) {
      if (Object.hasOwn(visit.node, KEYWORD)) {
        const annotation = readAnnotation(visit.node, visit);
        if (typeof annotation === 'string') return { ok: false, problem: annotation };
        if (headers.has(annotation.header.toLowerCase())) return { ok: false, problem: `${KEYWORD} "${annotation.header}" is used twice` };
        headers.add(annotation.header.toLowerCase());
        annotations.push(annotation);
      }
      pushChildren(visit.node, visit, todo);
    }
  }
  return { ok: true, annotations: annotations.reverse() };
}

function pushChildren(node: Record<string, unknown>, { path, reachable }: Visit, todo: Visit[]): void {
  for (const [keyword, child] of Object.entries(node)) {
    if (DATA_KEYWORDS.has(keyword)) continue;
    if (!MAP_KEYWORDS.has(keyword) || !isObject(child)) {
      todo.push({ node: child, path, reachable: false });
      continue;
    }
    const stays = reachable && keyword === 'properties';
    for (const [name, schema] of Object.entries(child)) todo.push({ node: schema, path: stays ? [...path, name] : path, reachable: stays });
  }
}

function readAnnotation(node: Record<string, unknown>, { path, reachable }: Visit): ParamAnnotation | string {
  const where = path.length === 0 ? 'the schema' : path.join('.');
  const { [KEYWORD]: header, type } = node;
  if (!reachable || path.length === 0) return `${where}: ${KEYWORD} may only stand on a property reached through "properties" alone`;
  if (typeof header !== 'string' || !TOKEN.test(header)) return `${where}: ${KEYWORD} is not a header token`;
  if (type !== 'string' && type !== 'integer' && type !== 'boolean') return `${where}: ${KEYWORD} needs type string, integer or boolean`;
  return { header, path, type };
}

/** The `Mcp-Param-*` headers (lower-case names) for a call's arguments object; null or absent values and other types have none. */
export function paramHeaders(annotations: readonly ParamAnnotation[], argumentBytes: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const annotation of annotations) {
    const value = valueOf(annotation, argumentBytes);
    if (value !== null) headers[headerName(annotation)] = encodeHeaderValue(value);
  }
  return headers;
}

/** Checks a caller's `Mcp-Param-*` headers against the arguments: null when they agree. Integers are compared as numbers. */
export function checkParamHeaders(headers: HeaderBag, annotations: readonly ParamAnnotation[], argumentBytes: Buffer): Refusal | null {
  for (const annotation of annotations) {
    const name = `Mcp-Param-${annotation.header}`;
    const expected = valueOf(annotation, argumentBytes);
    const value = headers[headerName(annotation)];
    if (expected === null && value === undefined) continue;
    if (expected === null) return refusal('rpc.header_mismatch', `${name} is there but the argument is not.`);
    if (typeof value !== 'string') return refusal('rpc.header_mismatch', `${name} is missing or there more than once.`);
    const said = decodeHeaderValue(value);
    const same = said === expected || (annotation.type === 'integer' && said !== null && canonicalInteger(said) === expected);
    if (!same) return refusal('rpc.header_mismatch', `${name} does not match the body.`);
  }
  return null;
}

const headerName = (annotation: ParamAnnotation): string => `mcp-param-${annotation.header.toLowerCase()}`;

/** Taken from the bytes, so that an integer beyond 2^53 keeps its digits. */
function valueOf({ path, type }: ParamAnnotation, argumentBytes: Buffer): string | null {
  const span = sliceMember(argumentBytes, path);
  if (span === null) return null;
  const text = argumentBytes.toString('utf8', span.start, span.end);
  if (type === 'boolean') return text === 'true' || text === 'false' ? text : null;
  if (type === 'integer') return canonicalInteger(text);
  return text.startsWith('"') ? (JSON.parse(text) as string) : null;
}

/** One spelling of a whole number: `1.0` and `1e0` are 1; null when the text is none, or is not exact in that spelling. */
function canonicalInteger(text: string): string | null {
  if (INTEGER.test(text)) return BigInt(text).toString();
  const value = /^-?[0-9]/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? BigInt(value).toString() : null;
}
