import type { Random } from '../simulation/random.ts';

/** What a server answers a call with: the head, and the body in the pieces in which it is written. */
export type MalformedAnswer = {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly pieces: readonly Buffer[];
  /** How the answer ends: whole, with the connection cut, or never. */
  readonly ending: 'end' | 'cut' | 'hang';
};

const LINE_ENDS = ['\n', '\r', '\r\n'];
const FIELDS = ['data', 'data', 'data', 'event', 'id', 'retry', '', 'DATA', 'data ', 'foo', '\ufeffdata'];

/** An answer to the request with this id (JSON text), right now and then, mostly wrong. */
export function malformedAnswer(id: string, random: Random): MalformedAnswer {
  const isStream = random.chance(0.7);
  const body = isStream ? stream(id, random) : Buffer.from(message(id, random));
  return {
    status: random.chance(0.9) ? 200 : random.pick([202, 204, 301, 400, 401, 403, 404, 406, 418, 500, 503]),
    headers: {
      'content-type': random.chance(0.95) ? (isStream ? 'text/event-stream' : 'application/json') : random.pick(['text/html', '', 'x/y;z']),
      ...(random.chance(0.02) ? { 'content-encoding': 'gzip' } : {}),
    },
    pieces: cut(body, random),
    ending: random.chance(0.85) ? 'end' : random.chance(0.97) ? 'cut' : 'hang',
  };
}

function stream(id: string, random: Random): Buffer {
  const end = random.pick(LINE_ENDS);
  const events: string[] = random.chance(0.1) ? ['\ufeff'] : [];
  for (let left = random.whole(0, 6); left > 0; left -= 1) events.push(event(message(id, random), random, end));
  if (random.chance(0.6)) events.push(event(result(id, random), random, end));
  let bytes = Buffer.from(events.join(''));
  if (random.chance(0.1) && bytes.length > 0) bytes[random.whole(0, bytes.length - 1)] = random.whole(0, 255);
  if (random.chance(0.05)) bytes = bytes.subarray(0, random.whole(0, bytes.length));
  return bytes;
}

function event(data: string, random: Random, end: string): string {
  const lines = [`data:${random.pick(['', ' ', '  '])}${random.chance(0.2) ? data.replaceAll(',', `,${end}data: `) : data}`];
  for (let left = random.pick([0, 0, 1, 3]); left > 0; left -= 1)
    lines.unshift(
      `${random.pick(FIELDS)}${random.pick([':', ': ', ''])}${random.pick(['message', '7', '', '\0', 'x'.repeat(2_000), '-1'])}`,
    );
  return lines.join(random.chance(0.9) ? end : random.pick(LINE_ENDS)) + end + end;
}

function message(id: string, random: Random): string {
  return random.pick([
    () => result(id, random),
    () => `{"jsonrpc":"2.0","id":${random.pick(['0', '"x"', 'null', id])},"result":{}}`,
    () =>
      `{"jsonrpc":"2.0","id":${id},"error":${random.pick(['{"code":-32603,"message":"m"}', '{}', '{"code":"x"}', '{"code":-32042}', '[]'])}}`,
    () =>
      `{"jsonrpc":"2.0","method":"notifications/${random.pick(['progress', 'message', 'cancelled', 'x'])}","params":${random.pick(['{}', '[]', '{"progressToken":1}', '{"a":1,"A":2}'])}}`,
    () =>
      `{"jsonrpc":"2.0","id":${random.whole(0, 5)},"method":"${random.pick(['ping', 'roots/list', 'sampling/createMessage', 'x'])}","params":{}}`,
    () => random.pick(['', '[', 'null', '{}', '[1]', '"x"', '{"jsonrpc":"2.0"', '<html>', '{"a":'.repeat(2_000)]),
  ])();
}

function result(id: string, random: Random): string {
  const content = random.pick([
    '[]',
    '[{"type":"text","text":"é😀"}]',
    'null',
    '{}',
    `[{"type":"text","text":"${'x'.repeat(random.whole(0, 200_000))}"}]`,
  ]);
  const type = random.pick([
    '',
    '',
    '"resultType":"complete",',
    '"resultType":"input_required",',
    '"resultType":"task",',
    '"resultType":5,',
  ]);
  return `{"jsonrpc":"2.0","id":${id},"result":{${type}"content":${content}}}`;
}

/** In pieces of any size, also inside a character. */
function cut(body: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = [];
  for (let from = 0; from < body.length && pieces.length < 20; ) {
    const size = random.pick([1, 3, 100, 10_000, body.length]);
    pieces.push(body.subarray(from, from + size));
    from += size;
  }
  const sent = pieces.reduce((bytes, piece) => bytes + piece.length, 0);
  return sent < body.length ? [...pieces, body.subarray(sent)] : pieces;
}
