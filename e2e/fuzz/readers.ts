/** A JSON value in which an object keeps every member as it came, in order, duplicates included. */
type Value = string | number | boolean | null | readonly Value[] | Members;
type Members = { readonly members: readonly (readonly [string, Value])[] };

/** How some JSON library somewhere takes a member of an object: which of several, and which names it holds to be the same. */
type Reader = { readonly name: string; readonly fold: (name: string) => string; readonly takes: 'first' | 'last' };

const FOLDS: readonly (readonly [string, (name: string) => string])[] = [
  ['exact', (name) => name],
  ['lower case', (name) => name.toLowerCase()],
  ['upper case', (name) => name.toUpperCase().toLowerCase()],
  ['up to a NUL', (name) => name.split('\0')[0]!],
  ['without NULs', (name) => name.replaceAll('\0', '').toLowerCase()],
];
const READERS: readonly Reader[] = FOLDS.flatMap(([name, fold]) =>
  (['first', 'last'] as const).map((takes) => ({ name: `${name}, the ${takes} counts`, fold, takes })),
);

/** The readers to whom the message is a call of this tool. */
export function readersWhoSee(tool: string, text: string): string[] {
  const value = parseKeepingAll(text);
  return READERS.filter((reader) => {
    const params = member(value, 'params', reader);
    return member(value, 'method', reader) === 'tools/call' && member(params, 'name', reader) === tool;
  }).map(({ name }) => name);
}

function member(value: Value | undefined, name: string, { fold, takes }: Reader): Value | undefined {
  if (typeof value !== 'object' || value === null || !('members' in value)) return undefined;
  const found = value.members.filter(([key]) => fold(key) === fold(name));
  return (takes === 'first' ? found[0] : found.at(-1))?.[1];
}

/** `JSON.parse` drops duplicates, so its reviver cannot see them; its text can be made to keep them: every name is given its place. */
function parseKeepingAll(text: string): Value {
  let place = 0;
  const placed = text.replace(/"(?:[^"\\]|\\.)*"(\s*:)?/g, (string, colon: string | undefined) =>
    colon === undefined ? string : `"${place++} ${string.slice(1)}`,
  );
  return JSON.parse(placed, (_name, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return { members: Object.entries(value).map(([name, each]) => [name.slice(name.indexOf(' ') + 1), each]) };
  }) as Value;
}
