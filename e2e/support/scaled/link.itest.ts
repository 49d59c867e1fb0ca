import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reservePort } from '../ports.ts';
import { Link } from './link.ts';

let link: Link;
let echo: ReturnType<typeof createServer>;
const sockets: Socket[] = [];

beforeEach(async () => {
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => echo.once('listening', resolve));
  link = new Link({ name: 'test', port: await reservePort(), targetPort: (echo.address() as AddressInfo).port });
});

afterEach(async () => {
  link.cut();
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
});

function dial(): Socket {
  const socket = connect(link.port, '127.0.0.1');
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

/** What comes back for what is sent, within the time; null: nothing. */
function echoOf(socket: Socket, text: string, withinMs = 300): Promise<string | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), withinMs);
    socket.once('data', (chunk) => {
      clearTimeout(timer);
      resolve(chunk.toString());
    });
    socket.write(text);
  });
}

const codeOf = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    socket.once('connect', () => resolve('connected'));
  });

test('it refuses until opened, passes bytes and ends, and refuses again after refuseNew while standing connections go on', async () => {
  expect(await codeOf(dial())).toBe('ECONNREFUSED');
  await link.open();
  const socket = dial();
  expect(await echoOf(socket, 'hello')).toBe('hello');
  link.refuseNew();
  expect(await codeOf(dial())).toBe('ECONNREFUSED');
  expect(await echoOf(socket, 'still')).toBe('still');
  const ended = new Promise((resolve) => socket.once('end', resolve));
  socket.end();
  await ended;
});

test('cut breaks standing connections; opened again it passes', async () => {
  await link.open();
  const socket = dial();
  await echoOf(socket, 'x');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  link.cut();
  await closed;
  await link.open();
  expect(await echoOf(dial(), 'again')).toBe('again');
});

test('silent: connections stand and say nothing until it is opened, and nothing is lost', async () => {
  await link.open();
  const socket = dial();
  await echoOf(socket, 'x');
  await link.silence();
  expect(await echoOf(socket, 'kept', 150)).toBeNull();
  expect(await codeOf(dial())).toBe('connected');
  const heard = new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(chunk.toString())));
  await link.open();
  expect(await heard).toBe('kept');
});

test('delay and throttle take their time, in both directions, and keep the order', async () => {
  await link.open();
  const socket = dial();
  await echoOf(socket, 'x');
  link.shape({ delayMs: 60 });
  let startedAt = performance.now();
  expect(await echoOf(socket, 'slow', 1_000)).toBe('slow');
  expect(performance.now() - startedAt).toBeGreaterThan(115);
  link.shape({ bytesPerSecond: 100_000 });
  startedAt = performance.now();
  const text = 'abcdefghij'.repeat(2_000);
  let back = '';
  socket.on('data', (chunk) => (back += chunk.toString()));
  socket.write(text);
  while (back.length < text.length) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(back).toBe(text);
  expect(performance.now() - startedAt).toBeGreaterThan(180);
});
