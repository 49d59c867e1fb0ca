import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { drainServer, isDraining } from './drain-server.ts';

type Listening = { readonly server: Server; readonly port: number; readonly release: () => void };

/** Answers `/slow` when released, everything else at once. */
async function listening(): Promise<Listening> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const server: Server = createServer((request, response) => {
    if (isDraining(server)) response.setHeader('connection', 'close');
    void (request.url === '/slow' ? released : Promise.resolve()).then(() => response.end('done'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port, release };
}

const ask = (socket: Socket, path: string): boolean => socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);

/** A kept-alive connection that has sent one request. */
async function request(port: number, path: string): Promise<Socket & { heard: string }> {
  const socket = Object.assign(connect(port, '127.0.0.1'), { heard: '' });
  socket.on('data', (chunk) => (socket.heard += chunk.toString())).on('error', () => undefined);
  await once(socket, 'connect');
  ask(socket, path);
  return socket;
}

test('what is under way ends, what is idle is closed, nothing new is taken', async () => {
  const { server, port, release } = await listening();
  const slow = await request(port, '/slow');
  const idle = await request(port, '/quick');
  await once(idle, 'data');
  const drained = drainServer(server, { limitMs: 10_000 });
  await once(idle, 'close');
  const [refused] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
  expect(refused.code).toBe('ECONNREFUSED');
  expect(slow.heard).toBe('');
  release();
  await Promise.all([drained, once(slow, 'close')]);
  expect(slow.heard).toContain('done');
});

test('a request that arrives on a kept connection meanwhile is served, and told that it was the last', async () => {
  const { server, port, release } = await listening();
  const arrived = once(server, 'request');
  const socket = await request(port, '/slow');
  await arrived;
  const drained = drainServer(server, { limitMs: 10_000 });
  ask(socket, '/quick');
  await once(server, 'request');
  release();
  await Promise.all([drained, once(socket, 'close')]);
  expect(socket.heard.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
  expect(socket.heard.toLowerCase()).toContain('connection: close');
});

test('what comes while the end is announced is taken as before, and told that its connection ends', async () => {
  const { server, port } = await listening();
  const drained = drainServer(server, { limitMs: 10_000, announceMs: 150 });
  expect(isDraining(server)).toBe(true);
  const socket = await request(port, '/quick');
  await Promise.all([once(socket, 'close'), drained]);
  expect(socket.heard).toMatch(/^HTTP\/1\.1 200/);
  expect(socket.heard.toLowerCase()).toContain('connection: close');
  await once(connect(port, '127.0.0.1'), 'error');
});

test('what does not end in time is cut', async () => {
  const { server, port } = await listening();
  const arrived = once(server, 'request');
  const stuck = await request(port, '/slow');
  await arrived;
  const startedAt = performance.now();
  await Promise.all([drainServer(server, { limitMs: 200 }), once(stuck, 'close')]);
  expect(performance.now() - startedAt).toBeGreaterThan(150);
  expect(stuck.heard).toBe('');
});

test('what would never end is told to, once no new connection is taken', async () => {
  const { server, port } = await listening();
  const arrived = once(server, 'request');
  const held = await request(port, '/slow');
  const [, response] = await arrived;
  const onClosing = (): void => {
    expect(server.listening).toBe(false);
    response.end('over');
  };
  await Promise.all([drainServer(server, { limitMs: 10_000, onClosing }), once(held, 'close')]);
  expect(held.heard).toMatch(/over$/);
});

test('a server that does not listen is drained already', async () => {
  await expect(drainServer(createServer(), { limitMs: 1_000 })).resolves.toBeUndefined();
});

test('whoever still waits shortly before the cut can be told, and is not when nobody does', async () => {
  const { server, port, release } = await listening();
  const slow = await request(port, '/slow');
  await Promise.all([drainServer(server, { limitMs: 800, onCutting: release }), once(slow, 'close')]);
  expect(slow.heard).toContain('done');
  const other = await listening();
  let isCut = false;
  await drainServer(other.server, { limitMs: 800, onCutting: () => (isCut = true) });
  expect(isCut).toBe(false);
});
