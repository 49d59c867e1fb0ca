import { createKeyring } from '@patchbay/vault';
import { expect, test } from 'vitest';
import type { Config } from '../../config/config.ts';
import type { Server } from '../../prisma/index.ts';
import { ServerSecrets } from '../vault/index.ts';
import { applyChange, sealedRow } from './server-change.ts';

const vault = new ServerSecrets({ masterKey: createKeyring([Buffer.alloc(32, 1)]) } as Config);
const at = new Date(0);
const server: Server = {
  organisationId: 'o',
  id: 's',
  slug: 'a',
  kind: 'streamable-http',
  description: '',
  tags: [],
  connectMs: 1,
  requestMs: 1,
  url: 'https://a.example/mcp',
  command: null,
  args: [],
  isolation: 'session',
  catalogueMode: 'shared',
  sampling: 'relayed',
  nameLengthMax: null,
  namePunctuation: null,
  toolsMax: null,
  egress: [],
  approved: false,
  notice: null,
  generation: '',
  createdAt: at,
  updatedAt: at,
};
const secrets = [sealedRow(server, 'header', { name: 'X-Key', value: 'one' }, vault)];
const before = { server, secrets };

test('what does not touch the connection keeps its generation', () => {
  const same = applyChange(before, {}, vault);
  const described = applyChange(before, { description: 'd', tags: ['t'], timeouts: { requestMs: 5_000 } }, vault);
  expect(described.server.generation).toBe(same.server.generation);
  expect(described.credentialChanged).toBe(false);
});

test('a new value of the same secret is a new generation, whatever the case of its name', () => {
  const same = applyChange(before, {}, vault);
  const changed = applyChange(before, { headers: { 'x-key': 'one' } }, vault);
  expect(changed.server.generation).not.toBe(same.server.generation);
  expect(changed.secrets.map(({ name }) => name)).toEqual(['x-key']);
  expect(vault.reveal(changed.server, changed.secrets, 'header')).toEqual({ 'x-key': 'one' });
});

test('another origin drops what was typed for the first, and its seal would not open there anyway', () => {
  const moved = applyChange(before, { url: 'https://b.example/mcp' }, vault);
  expect(moved).toMatchObject({ secrets: [], credentialChanged: true });
  expect(moved.server.notice).toMatch(/typed again/);
  expect(() => vault.reveal(moved.server, secrets, 'header')).toThrow();
  const typedAgain = applyChange(before, { url: 'https://b.example/mcp', headers: { 'X-Key': 'two' } }, vault);
  expect(typedAgain.server.notice).toBeNull();
  expect(vault.reveal(typedAgain.server, typedAgain.secrets, 'header')).toEqual({ 'X-Key': 'two' });
});
