import { isObject } from '../is-object.ts';
import { sliceMember } from '../json-slices.ts';
import { splice } from '../splice.ts';

type Json = Readonly<Record<string, unknown>>;

/** Where the schema lies in the one around it, and the value in the object around it: official servers of both eras say it so. */
const MEMBER = 'result';
const ROOT = `#/properties/${MEMBER}`;
/** What stands under these is data, not schema; under the others names, not keywords. */
const HOLD_DATA: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples']);
const HOLD_NAMES: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
]);

/** Whether revisions with sessions can say what the tool answers: their output schemas are of objects, and a list with another one is refused whole. */
export function hasObjectOutput(definition: Buffer): boolean {
  const schema = outputSchemaOf(definition);
  return schema === undefined || (isObject(schema) && schema['type'] === 'object');
}

/** A tool's definition for a client with a session: an output that is no object becomes the member `result` of one. */
export function legacyToolDefinition(definition: Buffer): Buffer {
  if (hasObjectOutput(definition)) return definition;
  const span = sliceMember(definition, ['outputSchema']);
  const schema = outputSchemaOf(definition);
  if (span === null) return definition;
  const dialect = isObject(schema) && typeof schema['$schema'] === 'string' ? { $schema: schema['$schema'] } : {};
  const wrapped = { ...dialect, type: 'object', properties: { [MEMBER]: rebase(schema, false) }, required: [MEMBER] };
  return splice(definition, [{ ...span, replacement: JSON.stringify(wrapped) }]);
}

/** The answer to `tools/call` likewise: what is no object, or is declared as something else (`isWrapped`), becomes the member of one. */
export function legacyStructuredContent(answer: Buffer, isWrapped: boolean): Buffer {
  const span = answer.includes('"structuredContent"') ? sliceMember(answer, ['result', 'structuredContent']) : null;
  if (span === null || (!isWrapped && answer[span.start] === OPEN_OBJECT)) return answer;
  return splice(answer, [
    { start: span.start, end: span.start, replacement: `{"${MEMBER}":` },
    { start: span.end, end: span.end, replacement: '}' },
  ]);
}

const OPEN_OBJECT = 0x7b;

function outputSchemaOf(definition: Buffer): unknown {
  const span = definition.includes('"outputSchema"') ? sliceMember(definition, ['outputSchema']) : null;
  return span === null ? undefined : JSON.parse(definition.toString('utf8', span.start, span.end));
}

/** The same schema one level deeper: pointers from the root now begin at the member. What has an identity of its own resolves against that. */
function rebase(node: unknown, holdsNames: boolean): unknown {
  if (Array.isArray(node)) return node.map((each) => rebase(each, false));
  if (!isObject(node) || (!holdsNames && hasOwnBase(node))) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, holdsNames ? rebase(value, false) : rebaseMember(key, value)]),
  );
}

function rebaseMember(keyword: string, value: unknown): unknown {
  if ((keyword === '$ref' || keyword === '$dynamicRef') && typeof value === 'string') {
    if (value === '#') return ROOT;
    return value.startsWith('#/') ? `${ROOT}${value.slice(1)}` : value;
  }
  return HOLD_DATA.has(keyword) ? value : rebase(value, HOLD_NAMES.has(keyword));
}

/** Before 2019-09 an `$id` of a fragment alone was a name, not a base. */
function hasOwnBase({ $id }: Json): boolean {
  return $id !== undefined && !(typeof $id === 'string' && $id.startsWith('#'));
}
