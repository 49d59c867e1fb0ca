import { listen } from '@patchbay/testkit';
import { Pool } from 'undici';
import { expect, it } from 'vitest';
import type { Upstream } from '../upstreams.ts';
import { GeneralStream, type Hearer } from './general-stream.ts';

const hearer = (): Hearer => ({ ask: () => true, hear: () => undefined });

it('is read again after it was cut, whoever came and went meanwhile', async () => {
  let opened = 0;
  const server = await listen((_request, response) => {
    opened += 1;
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    if (opened === 1) setTimeout(() => response.end(), 50);
  });
  const pool = new Pool(new URL(server.url).origin);
  const way = { path: '/mcp', streams: () => pool };
  const upstream = { headers: {}, ways: { to: () => way } } as unknown as Upstream;
  const stream = new GeneralStream({ upstream, session: { id: 's', instance: null, protocolVersion: '2025-11-25' } });
  expect(await stream.open()).toBe('open');
  const [first, second] = [hearer(), hearer()];
  stream.add(first);
  await new Promise((done) => setTimeout(done, 300));
  stream.add(second);
  stream.remove(first, []);
  stream.remove(second, []);
  stream.add(first);
  await expect.poll(() => opened, { timeout: 3_000 }).toBe(2);
  stream.close();
  await pool.destroy();
  await server.close();
});
