import { randomUUID } from 'node:crypto';
import { OrganisationId, ServerId } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import type { CompiledCatalogue, CompiledServer } from '../snapshot/compiled.ts';
import { CredentialCatalogues, type FetchedCatalogue } from './credential-catalogues.ts';

const [ACME, OTHER] = [OrganisationId.parse(randomUUID()), OrganisationId.parse(randomUUID())];

function serverOf(generation = 'g1', id: string = randomUUID()): CompiledServer {
  return { id: ServerId.parse(id), slug: 's', generation } as CompiledServer;
}

const offer = (instructions: string, bytes = 100): FetchedCatalogue => ({ catalogue: { instructions } as CompiledCatalogue, bytes });
const offering = (instructions: string, bytes = 100) => ({ fetch: async () => offer(instructions, bytes), maxAgeMs: 1_000 });
const knownOf = (catalogues: CredentialCatalogues, organisationId: OrganisationId, server: CompiledServer): string | null | undefined =>
  catalogues.known(organisationId, server)?.instructions;

test('what a server offers one organisation or generation is unknown to every other, also under the same ids', async () => {
  const catalogues = new CredentialCatalogues(() => 0);
  const server = serverOf();
  await catalogues.ensure(ACME, server, offering('for acme'));
  expect(knownOf(catalogues, ACME, server)).toBe('for acme');
  expect(knownOf(catalogues, OTHER, server)).toBeUndefined();
  expect(knownOf(catalogues, ACME, serverOf('g2', server.id))).toBeUndefined();
  expect(knownOf(catalogues, ACME, serverOf('g1'))).toBeUndefined();
  await catalogues.ensure(OTHER, server, offering('for the other'));
  expect([knownOf(catalogues, ACME, server), knownOf(catalogues, OTHER, server)]).toEqual(['for acme', 'for the other']);
});

test('what is recent enough is not asked for again, and all who wait share one flight', async () => {
  let nowMs = 0;
  let asked = 0;
  const catalogues = new CredentialCatalogues(() => nowMs);
  const server = serverOf();
  const ensuring = {
    maxAgeMs: 1_000,
    fetch: async () => {
      asked += 1;
      await Promise.resolve();
      return offer(String(asked));
    },
  };
  await Promise.all([1, 2, 3].map(() => catalogues.ensure(ACME, server, ensuring)));
  expect(asked).toBe(1);
  nowMs = 900;
  await catalogues.ensure(ACME, server, ensuring);
  expect(asked).toBe(1);
  nowMs = 1_100;
  await catalogues.ensure(ACME, server, ensuring);
  expect(knownOf(catalogues, ACME, server)).toBe('2');
});

test('a server that cannot be asked is left alone for a while, and what it last said stays', async () => {
  let nowMs = 0;
  let failed = 0;
  const catalogues = new CredentialCatalogues(() => nowMs);
  const server = serverOf();
  await catalogues.ensure(ACME, server, offering('before'));
  const failing = {
    maxAgeMs: 1_000,
    fetch: async () => {
      failed += 1;
      return null;
    },
  };
  nowMs = 2_000;
  await catalogues.ensure(ACME, server, failing);
  await catalogues.ensure(ACME, server, failing);
  expect([failed, knownOf(catalogues, ACME, server)]).toEqual([1, 'before']);
  nowMs = 8_000;
  await catalogues.ensure(ACME, server, failing);
  expect(failed).toBe(2);
});

test('what is dropped is forgotten, also when it was on its way, and nothing else is', async () => {
  const catalogues = new CredentialCatalogues(() => 0);
  const [server, beside] = [serverOf(), serverOf()];
  await catalogues.ensure(ACME, server, offering('old'));
  await catalogues.ensure(ACME, beside, offering('beside'));
  await catalogues.ensure(OTHER, server, offering('other'));
  catalogues.drop(ACME, server.id);
  expect(knownOf(catalogues, ACME, server)).toBeUndefined();
  expect([knownOf(catalogues, ACME, beside), knownOf(catalogues, OTHER, server)]).toEqual(['beside', 'other']);
  let answer = (_found: FetchedCatalogue): void => undefined;
  const answers = ['late', 'new'];
  const fetch = (): Promise<FetchedCatalogue> =>
    answers.length === 2
      ? new Promise((resolve) => (answer = () => resolve(offer(answers.shift() ?? ''))))
      : Promise.resolve(offer(answers.shift() ?? ''));
  const ensured = catalogues.ensure(ACME, server, { maxAgeMs: 1_000, fetch });
  catalogues.dropAll(ACME);
  answer(offer(''));
  await ensured;
  expect(knownOf(catalogues, ACME, server)).toBe('new');
  expect([knownOf(catalogues, ACME, beside), knownOf(catalogues, OTHER, server)]).toEqual([undefined, 'other']);
});

test('an organisation pushes out its own, the longest unused first, and never another’s', async () => {
  const catalogues = new CredentialCatalogues(() => 0);
  const quarter = 8 * 1024 * 1024;
  const servers = Array.from({ length: 5 }, () => serverOf());
  const theirs = serverOf();
  await catalogues.ensure(OTHER, theirs, offering('theirs', quarter));
  for (const [index, server] of servers.entries()) {
    await catalogues.ensure(ACME, server, offering(String(index), quarter));
    if (servers[0] !== undefined) catalogues.known(ACME, servers[0]);
  }
  expect(servers.map((server) => knownOf(catalogues, ACME, server))).toEqual(['0', undefined, '2', '3', '4']);
  expect(knownOf(catalogues, OTHER, theirs)).toBe('theirs');
});
