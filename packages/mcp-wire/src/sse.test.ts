import { Fault } from '@patchbay/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeSseEvent, SseParser, type SseEvent } from './sse.ts';

const parse = (...chunks: (string | Buffer)[]): SseEvent[] => {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(Buffer.from(chunk)));
};
const plain = { event: 'message', id: null, retry: null };

/** The standard's algorithm for a stream that is there as a whole: what is left of its last event is dropped. */
function readWhole(text: string): SseEvent[] {
  const events: SseEvent[] = [];
  const blank = (): { event: string; data: string[]; id: string | null; retry: number | null } => ({
    event: '',
    data: [],
    id: null,
    retry: null,
  });
  let open = blank();
  for (const line of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .slice(0, -1)) {
    if (line === '') {
      const { data, event, id, retry } = open;
      if (data.length > 0 || id !== null || retry !== null) events.push({ event: event || 'message', data: data.join('\n'), id, retry });
      open = blank();
      continue;
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?([^]*))?$/.exec(line) ?? [];
    if (field === 'data') open.data.push(value);
    if (field === 'event') open.event = value;
    if (field === 'id' && !value.includes('\0')) open.id = value;
    if (field === 'retry' && /^\d{1,9}$/.test(value)) open.retry = Number(value);
  }
  return events;
}

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

  // Empty pieces are chunks too, and a border may fall inside a character or a line end.
  const piece = fc.constantFrom(
    'data: ',
    'data:é😀',
    'data',
    'id: 1',
    'id:\0',
    'event: e',
    'event',
    ': c',
    '\n',
    '\r',
    '\r\n',
    '\n\n',
    'retry: 5',
    '\uFEFF',
    'x',
  );
  const inPieces = (bytes: Buffer, sizes: readonly number[]): Buffer[] => {
    let from = 0;
    return [...sizes.map((size) => bytes.subarray(from, (from += size))), bytes.subarray(from)];
  };

  test('what is read does not depend on where chunks begin and end, and is what the standard says of the whole (trap 12)', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat({ max: 6 })), (pieces, sizes) => {
        const text = pieces.join('');
        expect(parse(...inPieces(Buffer.from(text), sizes))).toEqual(readWhole(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('bytes of any kind are read as the standard reads them, bad UTF-8 included, or are too many', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat({ max: 20 })), (array, sizes) => {
        const bytes = Buffer.from(array);
        expect(parse(...inPieces(bytes, sizes))).toEqual(readWhole(bytes.toString('utf8')));
        const bounded = new SseParser(64);
        try {
          for (const each of inPieces(bytes, sizes)) bounded.push(each);
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
        }
      }),
      { numRuns: 1_000 },
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
