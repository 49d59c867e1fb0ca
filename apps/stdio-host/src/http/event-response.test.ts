import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { EventResponse } from './event-response.ts';

const MIB = 1024 * 1024;
const EVENT = Buffer.alloc(MIB, 'x');

const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

/** A reader that has asked and reads nothing yet. */
async function open() {
  const asked = Promise.withResolvers<ServerResponse>();
  const server = createServer((_, response) => asked.resolve(response));
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  reader.on('error', () => undefined);
  reader.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  ends.push(() => (reader.destroy(), server.close(), server.closeAllConnections()));
  const response = await asked.promise;
  return { reader, response, stream: new EventResponse(response) };
}

test('a reader that takes nothing is cut off before it costs much memory: it may come back for what it has missed', async () => {
  const { response, stream } = await open();
  let most = 0;
  for (let count = 0; count < 100; count += 1) {
    stream.write(EVENT);
    most = Math.max(most, response.writableLength);
  }
  expect(response.destroyed).toBe(true);
  expect(most).toBeLessThan(66 * MIB);
});

test('one that reads is not, however much it is told', async () => {
  const { reader, response, stream } = await open();
  let got = 0;
  reader.on('data', ({ length }) => (got += length)).resume();
  for (let count = 0; count < 100; count += 1) {
    stream.write(EVENT);
    await vi.waitFor(() => expect(response.writableLength).toBeLessThan(8 * MIB));
  }
  await vi.waitFor(() => expect(got).toBeGreaterThan(100 * MIB));
  expect(response.destroyed).toBe(false);
});
