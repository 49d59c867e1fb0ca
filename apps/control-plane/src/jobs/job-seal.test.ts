import { createKeyring } from '@patchbay/vault';
import { expect, test } from 'vitest';
import { JobSeal } from './job-seal.ts';

const [oldKey, newKey] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const seal = new JobSeal(createKeyring([oldKey]));
const DAY_MS = 86_400_000;
const NOW = 1_800_000_000_000;
const job = seal.seal('discover', { organisationId: 'o', serverId: 's' }, NOW);

test('a job of ours opens, whatever the order of its data', () => {
  expect(seal.open('discover', structuredClone(job), NOW)).toEqual({ ok: true, data: { organisationId: 'o', serverId: 's' } });
  expect(seal.open('discover', { ...job, data: { serverId: 's', organisationId: 'o' } }, NOW + 1)).toMatchObject({ ok: true });
});

test.each<[string, string, unknown]>([
  ['another name', 'sweep', job],
  ['other data', 'discover', { ...job, data: { ...job.data, serverId: 't' } }],
  ['more data', 'discover', { ...job, data: { ...job.data, more: '' } }],
  ['another time', 'discover', { ...job, atMs: NOW + 1 }],
  ['no MAC', 'discover', { data: job.data, atMs: NOW }],
  ['another key', 'discover', new JobSeal(createKeyring([newKey])).seal('discover', job.data, NOW)],
  ['data that is no text', 'discover', { ...job, data: { organisationId: { o: 1 } } }],
  ['nothing', 'discover', null],
  ['text', 'discover', 'x'],
])('a job with %s is forged', (_what, name, sealed) => {
  expect(seal.open(name, sealed, NOW)).toEqual({ ok: false, why: 'forged' });
});

test('a job of another day is old, on either side of a clock that jumped', () => {
  expect(seal.open('discover', job, NOW + DAY_MS)).toMatchObject({ ok: true });
  expect(seal.open('discover', job, NOW + DAY_MS + 1)).toEqual({ ok: false, why: 'old' });
  expect(seal.open('discover', job, NOW - DAY_MS - 1)).toEqual({ ok: false, why: 'old' });
});

test('while the master key is being replaced jobs under the old one still run', () => {
  expect(new JobSeal(createKeyring([newKey, oldKey])).open('discover', job, NOW)).toMatchObject({ ok: true });
});
