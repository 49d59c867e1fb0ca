import { request, type IncomingMessage } from 'node:http';
import { listen, type Listening } from '@patchbay/testkit';
import { afterEach, expect, test } from 'vitest';
import { startShim } from './shim.ts';

const open: Listening[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function started(handler: Parameters<typeof listen>[0]): Promise<{ gateway: Listening; shim: Listening }> {
  const gateway = await listen(handler);
  const shim = await startShim({ ports: [gateway.port], token: () => 'secret' });
  open.push(shim, gateway);
  return { gateway, shim };
}

function get(port: number, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/a/b?c', headers }).on('response', resolve).on('error', reject).end();
  });
}

// Guarantee: dns-rebinding-protection through the shim is about the gateway's own checks.
test('the token is added; our own name becomes the gateway’s in Host and Origin, and any other stays', async () => {
  const seen: IncomingMessage[] = [];
  const { gateway, shim } = await started((incoming, response) => {
    seen.push(incoming);
    response.end();
  });
  await get(shim.port, { origin: `http://127.0.0.1:${shim.port}` });
  await get(shim.port, { host: 'evil.example.com', origin: 'http://evil.example.com' });
  const [own, foreign] = seen.map(({ headers }) => headers);
  expect(own).toMatchObject({
    authorization: 'Bearer secret',
    host: `127.0.0.1:${gateway.port}`,
    origin: `http://127.0.0.1:${gateway.port}`,
  });
  expect(foreign).toMatchObject({ authorization: 'Bearer secret', host: 'evil.example.com', origin: 'http://evil.example.com' });
  expect(seen[0]?.url).toBe('/a/b?c');
});

test('an answer streams on as it comes, and a client that goes away is gone for the gateway too', async () => {
  let gone: () => void = () => {};
  const isGone = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const { shim } = await started((_incoming, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
    response.on('close', gone);
  });
  const answer = await get(shim.port, {});
  const first = await new Promise((resolve) => answer.once('data', resolve));
  expect(String(first)).toBe('data: 1\n\n');
  answer.destroy();
  await isGone;
});

test('each request goes to any of the gateways, and is counted', async () => {
  const names = ['a', 'b', 'c'];
  const gateways = await Promise.all(names.map((name) => listen((_incoming, response) => response.end(name))));
  const shim = await startShim({ ports: gateways.map(({ port }) => port), token: () => 'secret' });
  open.push(shim, ...gateways);
  const said = await Promise.all(Array.from({ length: 60 }, async () => (await fetch(shim.url)).text()));
  expect(new Set(said)).toEqual(new Set(names));
  expect(gateways.map(({ port }) => shim.sent.get(port))).toEqual(names.map((name) => said.filter((each) => each === name).length));
});
