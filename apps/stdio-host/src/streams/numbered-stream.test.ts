import { SseParser } from '@patchbay/mcp-wire';
import { expect, test } from 'vitest';
import { type Listener, NumberedStream } from './numbered-stream.ts';
import { SessionStreams } from './session-streams.ts';

const clock = { at: 0, nowMs: () => clock.at };

/** What a reader was told: id and data of each event, and whether the stream ended. */
class Reader implements Listener {
  readonly events: [id: string | null, data: string][] = [];
  hasEnded = false;
  readonly #parser = new SseParser();

  write(event: Buffer): void {
    for (const { data, id } of this.#parser.push(event)) this.events.push([id, data]);
  }

  end(): void {
    this.hasEnded = true;
  }
}

const message = (text: string) => Buffer.from(JSON.stringify(text));

test('who comes back with the number of the last event hears exactly what came after it, then what comes', () => {
  const stream = new NumberedStream(3, clock);
  const first = new Reader();
  stream.attach(first, null);
  stream.append(message('a'), 'passing');
  stream.append(message('b'), 'lasting');
  stream.detach(first);
  stream.append(message('c'), 'lasting');
  const second = new Reader();
  stream.attach(second, 1);
  stream.append(message('d'), 'lasting');
  stream.end();
  expect(first.events).toEqual([
    ['3-1', '"a"'],
    ['3-2', '"b"'],
  ]);
  expect(second.events.map(([id]) => id)).toEqual(['3-2', '3-3', '3-4']);
  expect([first.hasEnded, second.hasEnded]).toEqual([false, true]);
});

test('what nobody was told is told to the next reader, and nothing twice', () => {
  const stream = new NumberedStream(0, clock);
  stream.append(message('waiting'), 'lasting');
  const [first, second] = [new Reader(), new Reader()];
  stream.attach(first, null);
  stream.attach(second, null);
  stream.append(message('next'), 'lasting');
  stream.detach(second);
  stream.append(message('last'), 'lasting');
  expect(first.events.map(([, data]) => data)).toEqual(['"waiting"', '"last"']);
  expect(second.events.map(([, data]) => data)).toEqual(['"next"']);
});

test('a flood of notifications is cut at its old end, and loses no request and no answer', () => {
  const stream = new NumberedStream(1, clock);
  stream.append(message('request'), 'lasting');
  for (let count = 0; count < 1_000; count += 1) stream.append(message(`progress ${count}`), 'passing');
  for (let count = 0; count < 10; count += 1) stream.append(message('x'.repeat(500_000)), 'passing');
  stream.append(message('answer'), 'lasting');
  expect(stream.keptBytes).toBeLessThan(1_100_000);
  const reader = new Reader();
  stream.attach(reader, 0);
  const told = reader.events.map(([, data]) => data);
  expect([told[0], told.at(-1)]).toEqual(['"request"', '"answer"']);
});

test('also of requests and answers no more than 16 MiB are kept, the last one whatever its length', () => {
  const stream = new NumberedStream(1, clock);
  for (let count = 0; count < 40; count += 1) stream.append(message('x'.repeat(1024 * 1024)), 'lasting');
  expect(stream.keptBytes).toBeLessThanOrEqual(16 * 1024 * 1024);
  const reader = new Reader();
  stream.attach(reader, 0);
  expect(reader.events.map(([id]) => id)).toEqual(Array.from({ length: 15 }, (_, index) => `1-${26 + index}`));
  stream.detach(reader);
  stream.append(message('a note'), 'passing');
  stream.append(message('x'.repeat(20 * 1024 * 1024)), 'lasting');
  expect(stream.keptBytes).toBeGreaterThan(20 * 1024 * 1024);
  stream.append(message('answer'), 'lasting');
  expect(stream.keptBytes).toBeLessThan(1_000);
});

test('an empty event gives a place to come back to before anything was said', () => {
  const stream = new NumberedStream(7, clock);
  const first = new Reader();
  stream.attach(first, null);
  stream.prime();
  stream.detach(first);
  stream.append(message('answer'), 'lasting');
  stream.end();
  expect(first.events).toEqual([['7-0', '']]);
  const second = new Reader();
  stream.attach(second, 0);
  expect(second.events).toEqual([['7-1', '"answer"']]);
  expect(second.hasEnded).toBe(true);
});

test('a finished stream is kept for five minutes, an unfinished one as long as its session', () => {
  clock.at = 0;
  const streams = new SessionStreams(clock);
  const [open, over] = [streams.open(), streams.open()];
  over.append(message('answer'), 'lasting');
  over.end();
  clock.at = 299_000;
  streams.sweep();
  expect(streams.at('2-0')?.stream).toBe(over);
  clock.at = 300_000;
  streams.sweep();
  expect([streams.at('2-0'), streams.at('1-0')?.stream]).toEqual([null, open]);
  for (const id of ['', 'x', '3-0', '-1-0', '1', '1-']) expect(streams.at(id)).toBeNull();
});

test('when a session keeps too much, the oldest answers go first', () => {
  const streams = new SessionStreams(clock);
  const all = Array.from({ length: 10 }, () => streams.open());
  for (const stream of all) {
    stream.append(message('x'.repeat(1024 * 1024)), 'lasting');
    stream.end();
  }
  streams.sweep();
  expect(all.map(({ number }) => streams.at(`${number}-0`) !== null)).toEqual([...Array(3).fill(false), ...Array(7).fill(true)]);
});

test('nobody goes on behind a request or an answer that is gone; behind notifications that are, everybody does', () => {
  const streams = new SessionStreams(clock);
  const stream = streams.open();
  for (let count = 0; count < 300; count += 1) stream.append(message('note'), 'passing');
  expect(streams.at('1-1')).not.toBeNull();
  for (let count = 0; count < 17; count += 1) stream.append(message('x'.repeat(1024 * 1024)), 'lasting');
  // Of the seventeen the first two.
  expect(streams.at('1-302')).not.toBeNull();
  expect([streams.at('1-1'), streams.at('1-300'), streams.at('1-301')]).toEqual([null, null, null]);
});
