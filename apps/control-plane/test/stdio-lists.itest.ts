import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENV } from '@patchbay/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, Installation, until } from './support/installation.ts';
import { CHANGING_SERVER, StdioHostProgram } from './support/stdio-host.ts';

const folder = mkdtempSync(join(tmpdir(), 'patchbay-lists-'));
let installation: Installation;
let host: StdioHostProgram;

beforeAll(async () => {
  const port = await freePort();
  installation = await Installation.start({ [ENV.stdioHostUrl]: `http://127.0.0.1:${port}` });
  host = await StdioHostProgram.start(installation, port);
});

afterAll(async () => {
  await host.stop();
  await installation.stop();
  rmSync(folder, { recursive: true });
});

type Registered = { readonly id: string; readonly generation: string; readonly slug: string; list(...tools: string[]): void };

async function register(slug: string, isolation: string): Promise<Registered> {
  const list = (...tools: string[]): void => writeFileSync(join(folder, slug), tools.join('\n'));
  list('first');
  const server = { kind: 'stdio', slug, command: 'node', args: [CHANGING_SERVER, join(folder, slug)], isolation };
  const { body, status } = await installation.api('POST', '/servers', server);
  expect(status).toBe(201);
  await until(async () => (await toolsOf(slug)).length === (isolation === 'shared' ? 1 : 2), `discovery of ${slug}`);
  await until(async () => (await host.running(body.id)) === 0, 'nothing runs that nobody uses');
  const sql = await installation.sql();
  const { rows } = await sql.query<{ generation: string }>('select generation from servers where id = $1', [body.id]);
  await sql.end();
  return { id: body.id, generation: rows[0]?.generation ?? '', slug, list };
}

async function toolsOf(slug: string): Promise<[name: string, needs: unknown][]> {
  const { body } = await installation.api('GET', `/servers/${slug}/catalogue`);
  return body.accepted.tools.map(({ name, needs }: { name: string; needs: unknown }) => [name, needs]);
}

test('a server is started twice to be asked again though its list depends on the client, and stopped when it was read', async () => {
  const { id, list } = await register('conditional', 'session');
  const found = host.startsOf(id);
  const tools = [
    ['first', []],
    ['think', [['sampling']]],
  ];
  expect(await toolsOf('conditional')).toEqual(tools);
  for (const round of [1, 2]) {
    expect((await installation.api('POST', '/servers/conditional/discover')).status).toBe(200);
    expect(host.startsOf(id) - found).toBe(2 * round);
  }
  list('first', 'second');
  await installation.api('POST', '/servers/conditional/discover');
  expect(host.startsOf(id) - found).toBe(6);
  expect((await toolsOf('conditional')).map(([name]) => name)).toEqual(['first', 'second', 'think']);
  await until(async () => (await host.running(id)) === 0, 'it is stopped');
});

test('what all share is started once to be asked, and stopped when nobody uses it', async () => {
  const { id } = await register('common', 'shared');
  const found = host.startsOf(id);
  await installation.api('POST', '/servers/common/discover');
  expect(host.startsOf(id) - found).toBe(1);
  await until(async () => (await host.running(id)) === 0, 'it is stopped');
});

test.each(['session', 'principal', 'shared'])(
  'what a server says of its lists to a client is in the catalogue at once (%s)',
  async (isolation) => {
    const { generation, id, list, slug } = await register(`told-${isolation}`, isolation);
    const looked = host.startsOf(id);
    // Nobody hears it, for nothing runs: a listener keeps no process.
    list('first', 'unheard');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([await host.running(id), host.startsOf(id)]).toEqual([0, looked]);
    await host.openSession(id, generation);
    list('first', 'heard');
    await until(async () => (await toolsOf(slug)).some(([name]) => name === 'heard'), 'the new tool');
    // Its own reading, which makes the server speak too, is no news; what its client has stays.
    await until(async () => (await host.running(id)) === 1, 'the client has its process, and nobody else one');
  },
);
