import type { Random } from '../simulation/random.ts';

/** What is sent: a body that somebody got wrong, or wants us to get wrong. `headers` are lower case. */
export type Malformed = { readonly body: Buffer; readonly headers: Record<string, string> };

/** The tool that the caller may use, and the one that it may not: nothing but a call's name may decide between them. */
export const ALLOWED = 'allowed';
export const FORBIDDEN = 'forbidden';

const META = '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}';
const NAMES = ['name', 'Name', 'NAME', 'n\\u0061me', 'name\\u0000', 'nam\\u0065', 'n\\u00e0me', 'name ', '\\u006eame'];
const PARAMS = ['params', 'Params', 'param\u017f', 'p\\u0061rams', 'params\\u0000'];
const METHODS = [
  'tools/call',
  'tools/list',
  'prompts/get',
  'resources/read',
  'completion/complete',
  'ping',
  'initialize',
  'server/discover',
];
const HOSTILE = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\0',
  '\ufeff',
  '\u2028',
  '\\u',
  '\\ud800',
  '1e999',
  '-0',
  'tru',
  'NaN',
  ' '.repeat(50),
];
const BAD_BYTES = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf8, 0x88, 0x80, 0x80, 0x80], [0x00]];

export function malformedBody(random: Random): Malformed {
  const isModern = random.chance(0.5);
  const kind = random.next();
  let text = kind < 0.4 ? call(random, isModern) : kind < 0.7 ? smuggling(random, isModern) : odd(random, isModern);
  if (kind > 0.2) for (let left = random.pick([0, 0, 1, 1, 2, 5]); left > 0; left -= 1) text = mutated(text, random);
  let body: Buffer = Buffer.from(text);
  if (kind > 0.2 && random.chance(0.15)) body = withBytes(body, random.pick(BAD_BYTES), random);
  if (kind > 0.2 && random.chance(0.05)) body = body.subarray(0, random.whole(0, body.length));
  return { body, headers: headersFor(random, isModern) };
}

/** A call that is well, with what no revision knows in odd places: it reaches the server, whose answer will not be well. */
function call(random: Random, isModern: boolean): string {
  const token = isModern && random.chance(0.3) ? META.replace('{', `{"progressToken":${random.pick(['0', '"p"', '-1'])},`) : META;
  const extra = random.pick(['', '"vendor":{"x":[1e400,-0.0]}', '"arguments":{"name":"forbidden","a":1,"A":2}', '"requestState":"x"']);
  const params = ['"name":"allowed"', ...(extra === '' ? [] : [extra]), ...(isModern ? [token] : [])];
  const id = random.pick(['1', '0', '"1"', '""', '-5', '9007199254740991']);
  return `{${shuffled(['"jsonrpc":"2.0"', `"id":${id}`, '"method":"tools/call"', `"params":{${shuffled(params, random)}}`], random)}}`;
}

/** A call that names both tools, in places that two readers may take differently. */
function smuggling(random: Random, isModern: boolean): string {
  const tools = [ALLOWED, FORBIDDEN].sort(() => random.next() - 0.5);
  const name = (tool: string): string => `"${random.chance(0.6) ? 'name' : random.pick(NAMES)}":"${tool}"`;
  const inner = [name(tools[0]!), ...(random.chance(0.7) ? [name(tools[1]!)] : []), '"arguments":{}', ...(isModern ? [META] : [])];
  const params = [`"params":{${shuffled(inner, random)}}`];
  if (random.chance(0.2)) params.push(`"${random.pick(PARAMS)}":{"name":"${FORBIDDEN}","arguments":{}}`);
  const id = random.pick(['1', '0', '"1"', '-5', '7', '8', '9007199254740993', '1.5', 'null', '{}']);
  return `{${shuffled(['"jsonrpc":"2.0"', `"id":${id}`, '"method":"tools/call"', ...params], random)}}`;
}

/** Messages of every kind, with values that are too deep, too many, too long or of another type. */
function odd(random: Random, isModern: boolean): string {
  const value = random.pick([
    '['.repeat(random.whole(1, 5_000)),
    `${'{"a":'.repeat(random.whole(1, 100))}1`,
    `[${'0,'.repeat(random.whole(1, 20_000))}0]`,
    `"${'x'.repeat(random.whole(0, 100_000))}"`,
    `"\\u${random.whole(0, 65_535).toString(16).padStart(4, '0')}"`,
    String(random.next() * 10 ** random.whole(-300, 300)),
    'null',
    'true',
    '{}',
    '[]',
  ]);
  const members = ['"jsonrpc":"2.0"', `"method":"${random.pick(METHODS)}"`, ...(random.chance(0.8) ? [`"id":${random.whole(0, 9)}`] : [])];
  const params = [
    `"${random.pick(['name', 'uri', 'cursor', 'arguments', 'ref', 'requestState', 'vendor'])}":${value}`,
    ...(isModern ? [META] : []),
  ];
  const message = `{${shuffled([...members, `"params":{${shuffled(params, random)}}`], random)}}`;
  return random.pick([message, message, message, `[${message}]`, `${message}${message}`, value, `\ufeff${message}`, '']);
}

function mutated(text: string, random: Random): string {
  const [a, b] = [random.whole(0, text.length), random.whole(0, text.length)].sort((x, y) => x - y) as [number, number];
  return random.pick([
    () => text.slice(0, a) + text.slice(Math.min(b, a + 20)),
    () => text.slice(0, a) + text.slice(a, Math.min(b, a + 200)) + text.slice(a),
    () => text.slice(0, a) + random.pick(HOSTILE) + text.slice(a),
    () => text.slice(0, a) + String.fromCharCode(random.whole(0, 0xd7ff)) + text.slice(a + 1),
  ])();
}

function withBytes(body: Buffer, bytes: readonly number[], random: Random): Buffer {
  const at = random.whole(0, body.length);
  return Buffer.concat([body.subarray(0, at), Buffer.from(bytes), body.subarray(at)]);
}

function headersFor(random: Random, isModern: boolean): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  if (isModern) Object.assign(headers, { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': ALLOWED });
  if (random.chance(0.1)) headers['mcp-session-id'] = random.pick(['x', 'A'.repeat(1_000), '..', '=']);
  if (random.chance(0.05)) headers['mcp-protocol-version'] = random.pick(['2025-11-25', '1', '', 'x'.repeat(500)]);
  if (random.chance(0.05)) headers['mcp-name'] = random.pick(['=?base64?!!?=', '=?base64?YQ==?=', FORBIDDEN]);
  if (random.chance(0.03)) headers['content-type'] = random.pick(['text/plain', 'application/json; charset=utf-16', 'x']);
  if (random.chance(0.03)) headers['accept'] = random.pick(['text/html', '', '*/*']);
  return headers;
}

function shuffled(parts: readonly string[], random: Random): string {
  const left = [...parts];
  const taken: string[] = [];
  while (left.length > 0) taken.push(...left.splice(random.whole(0, left.length - 1), 1));
  return taken.join(',');
}
