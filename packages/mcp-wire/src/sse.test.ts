import { Fault } from '@patchbay/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeSseEvent, SseParser, type SseEvent } from './sse.ts';

const parse = (...chunks: (string | Buffer)[]): SseEvent[] => {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(Buffer.from(chunk)));
};
const plain = { event: 'message', id: null, retry: null };

describe('reading a stream', () => {
  test('every line end the standard allows ends a line, also one split between chunks', () => {
    for (const end of ['\n', '\r', '\r\n'])
      expect(parse(`data: a${end}data:b${end}${end}data: c${end}${end}`)).toEqual([
        { ...plain, data: 'a\nb' },
        { ...plain, data: 'c' },
      ]);
    expect(parse('data: a\r', '\n\r', '\ndata: b\r\n', '\r\n')).toEqual([
      { ...plain, data: 'a' },
      { ...plain, data: 'b' },
    ]);
  });

  test('a byte order mark, comments, unknown fields and events that say nothing are passed over', () => {
    expect(parse('\uFEFFdata: a\n\n: keep-alive\n\nfoo: bar\n\nevent: x\n\ndata: b\n\n')).toEqual([
      { ...plain, data: 'a' },
      { ...plain, data: 'b' },
    ]);
  });

  test('an event with only an id or a retry is a position to resume from, and its data is empty', () => {
    expect(parse('id: 7\nretry: 500\ndata\n\nid: 8\n\nid: a\0b\ndata: x\n\nretry: soon\ndata: y\n\n')).toEqual([
      { ...plain, data: '', id: '7', retry: 500 },
      { ...plain, data: '', id: '8' },
      { ...plain, data: 'x' },
      { ...plain, data: 'y' },
    ]);
  });

  test('an event that the stream cuts off is not reported', () => {
    expect(parse('data: a\n')).toEqual([]);
  });

  test('an event over the limit is a fault of the upstream, however it arrives; comments for hours are not', () => {
    const limit = 100;
    expect(() => new SseParser(limit).push(Buffer.from(`data: ${'x'.repeat(200)}`))).toThrow(Fault);
    const lines = new SseParser(limit);
    expect(() => {
      for (let k = 0; k < 100; k += 1) lines.push(Buffer.from('data: x\n'));
    }).toThrow(Fault);
    const quiet = new SseParser(limit);
    for (let k = 0; k < 100; k += 1) quiet.push(Buffer.from(': still here\n'));
    expect(quiet.push(Buffer.from('data: x\n\n'))).toEqual([{ ...plain, data: 'x' }]);
  });

  test('what is read does not depend on where chunks begin and end', () => {
    const piece = fc.constantFrom('data: ', 'data:é😀', 'id: 1', 'event: e', ': c', '\n', '\r', '\r\n', '\n\n', 'retry: 5', '\uFEFF', 'x');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat({ max: 6 })), (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(''));
        const chunks: Buffer[] = [];
        let from = 0;
        for (const size of cuts) chunks.push(bytes.subarray(from, (from += size)));
        chunks.push(bytes.subarray(from));
        expect(parse(...chunks)).toEqual(parse(bytes));
      }),
      { numRuns: 500 },
    );
  });
});

describe('writing a stream', () => {
  test('what is written is read back, whatever lines the data has', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.boolean(), (text, asBytes) => {
        const data = asBytes ? Buffer.from(text) : text;
        const [event] = parse(encodeSseEvent({ event: 'message', id: '3', data }));
        expect(event).toEqual({ event: 'message', data: text.replace(/\r\n?/g, '\n'), id: '3', retry: null });
      }),
    );
  });

  test('a message is one data line, as clients have always been sent it', () => {
    expect(encodeSseEvent({ data: Buffer.from('{"a":1}') }).toString()).toBe('data: {"a":1}\n\n');
    expect(encodeSseEvent({ event: 'message', id: '1', retry: 10, data: 'a\nb' }).toString()).toBe(
      'event: message\nid: 1\nretry: 10\ndata: a\ndata: b\n\n',
    );
  });
});
