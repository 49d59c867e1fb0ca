import type { ServerResponse } from 'node:http';
import type { OrganisationId } from '@patchbay/contracts';
import { listen, type Listening } from '@patchbay/testkit';
import { createKeyring } from '@patchbay/vault';
import { Pool } from 'undici';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { memoryStore } from '../../mailbox/memory-ports.fixture.ts';
import type { Mailboxes } from '../../mailbox/mailboxes.ts';
import type { Upstream } from '../upstreams.ts';
import type { Hearer } from './general-stream.ts';
import { GeneralStreams } from './general-streams.ts';

const SESSION = { id: 's', instance: null, protocolVersion: '2025-11-25' };
const PROGRESS = 'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}\n\n';

let server: Listening;
let pool: Pool;
let reader: ServerResponse | null;
let boxes: Map<string, (letter: string) => void>;
/** Letters to anybody, by address. */
let posted: string[];
let lifetimes: number[];
let reading: GeneralStreams;
let other: GeneralStreams;

const mailboxes: Pick<Mailboxes, 'open' | 'post'> = {
  async open(_organisationId, onLetter) {
    const address = `box ${boxes.size}`;
    boxes.set(address, onLetter);
    return { address, fetch: async () => undefined, close: () => void boxes.delete(address) };
  },
  async post(_organisationId, address, letter) {
    posted.push(address);
    boxes.get(address)?.(letter);
    return boxes.has(address) ? 'posted' : 'absent';
  },
};

beforeEach(async () => {
  [reader, boxes, posted, lifetimes] = [null, new Map(), [], []];
  server = await listen((_request, response) => {
    if (reader !== null) return void response.writeHead(409).end();
    reader = response;
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  });
  pool = new Pool(new URL(server.url).origin);
  const memory = memoryStore();
  const set: typeof memory.set = (organisationId, key, value, ttlMs) => {
    lifetimes.push(ttlMs);
    return memory.set(organisationId, key, value, ttlMs);
  };
  const deps = { mailboxes, keyring: createKeyring([Buffer.alloc(32, 1)]), store: { ...memory, set } };
  [reading, other] = [new GeneralStreams(deps), new GeneralStreams(deps)];
});

afterEach(async () => {
  reading.close();
  other.close();
  await pool.destroy();
  await server.close();
});

/** One call on each pod: the first reads, the second is told by letters to the address that is returned. */
async function joinBoth(requestMs: number): Promise<string> {
  const way = { path: '/mcp', streams: () => pool };
  const upstream = {
    headers: {},
    organisationId: 'o' as OrganisationId,
    server: { id: 'i', generation: 'g', timeouts: { requestMs } },
    ways: { to: () => way },
    unasked: { admits: () => true },
  } as unknown as Upstream;
  const hearer: Hearer = { ask: () => true, hear: () => undefined };
  await reading.join({ upstream, session: SESSION, hearer });
  await expect.poll(() => lifetimes.length).toBe(1);
  await other.join({ upstream, session: SESSION, hearer });
  return 'box 1';
}

async function progress(): Promise<void> {
  reader?.write(PROGRESS);
  await new Promise((done) => setTimeout(done, 50));
}

it('writes no more to a call whose pod has died', async () => {
  const dead = await joinBoth(60_000);
  await progress();
  boxes.delete(dead);
  await progress();
  await progress();
  expect(posted.filter((address) => address === dead)).toHaveLength(2);
});

it('writes no more to a call that should have ended long ago', async () => {
  const silent = await joinBoth(20);
  await progress();
  await new Promise((done) => setTimeout(done, 300));
  await progress();
  expect(posted.filter((address) => address === silent)).toHaveLength(1);
});

it('is found for as long as its mailbox', async () => {
  await joinBoth(60_000);
  expect(lifetimes).toEqual([24 * 3_600_000]);
});
