import { expect, test } from 'vitest';
import { asLine, readLines } from './lines.ts';

async function linesOf(...chunks: (string | Buffer)[]): Promise<string[]> {
  async function* stream(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const lines: string[] = [];
  for await (const line of readLines(stream())) lines.push(line.toString());
  return lines;
}

test('lines are whole whatever the borders of the chunks, also within a character, and with either line end', async () => {
  const umlaut = Buffer.from('"ü"\n');
  expect(await linesOf('{"a"', ':1}\r\n\n{"b":2}\n', umlaut.subarray(0, 2), umlaut.subarray(2), 'last')).toEqual([
    '{"a":1}',
    '{"b":2}',
    '"ü"',
    'last',
  ]);
});

test('a message never takes more than one line, and means the same', () => {
  const pretty = Buffer.from('{\r\n  "a": "x\\ny"\n}');
  const line = asLine(pretty).toString();
  expect(line.indexOf('\n')).toBe(line.length - 1);
  expect(JSON.parse(line)).toEqual(JSON.parse(pretty.toString()));
});
