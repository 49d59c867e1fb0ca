import type { OrganisationId } from '@patchbay/contracts';
import { createKeyring } from '@patchbay/vault';
import { beforeEach, expect, test, vi } from 'vitest';
import { type Mailboxes, type MailboxesDeps, makeMailboxes } from './mailboxes.ts';
import { memoryBus, memoryStore } from './memory-ports.fixture.ts';

const ORGANISATION = '00000000-0000-4000-8000-000000000001' as OrganisationId;
const OTHER = '00000000-0000-4000-8000-000000000002' as OrganisationId;
const KEYRING = createKeyring([Buffer.alloc(32, 1)]);

let store: ReturnType<typeof memoryStore>;
let bus: ReturnType<typeof memoryBus>;
let nowMs = 0;

beforeEach(() => {
  store = memoryStore();
  bus = memoryBus();
  nowMs = 1_000_000;
});

async function pod(podId: string, deps: Partial<MailboxesDeps> = {}): Promise<Mailboxes> {
  const logger = { warn: () => undefined };
  const mailboxes = makeMailboxes({ store, bus, keyring: KEYRING, podId, clock: { nowMs: () => nowMs }, logger, ...deps });
  await mailboxes.listen();
  return mailboxes;
}

test('letters of any pod reach the one that holds the box, in order and once; none of them can be read in the store or on the bus', async () => {
  const [a, b] = [await pod('a'), await pod('b')];
  const letters: string[] = [];
  const box = await a.open(ORGANISATION, (letter) => letters.push(letter));
  expect(await b.post(ORGANISATION, box.address, 'first secret')).toBe('posted');
  expect(await b.post(ORGANISATION, box.address, 'second secret')).toBe('posted');
  expect(await a.post(ORGANISATION, box.address, 'from itself')).toBe('posted');
  await vi.waitFor(() => expect(letters).toHaveLength(3));
  expect(letters.filter((letter) => letter.endsWith('secret'))).toEqual(['first secret', 'second secret']);
  expect(JSON.stringify([[...store.values], bus.said])).not.toContain('secret');
});

test('a box that was closed, one of another organisation and one of a pod that died have nobody in them', async () => {
  const [a, b] = [await pod('a'), await pod('b')];
  const letters: string[] = [];
  const box = await a.open(ORGANISATION, (letter) => letters.push(letter));
  const other = await a.open(ORGANISATION, (letter) => letters.push(letter));
  for (const pod of [a, b]) expect(await pod.post(OTHER, box.address, 'x')).toBe('absent');
  box.close();
  for (const pod of [a, b]) expect(await pod.post(ORGANISATION, box.address, 'x')).toBe('absent');
  // What the lease's end does.
  await store.delete(ORGANISATION, 'mailbox-owner/a');
  expect(await b.post(ORGANISATION, other.address, 'x')).toBe('absent');
  expect(letters).toEqual([]);
});

test('a pod that stops has nobody in its boxes at once', async () => {
  const [a, b] = [await pod('a'), await pod('b')];
  const box = await a.open(ORGANISATION, () => undefined);
  await a.close();
  for (const pod of [a, b]) expect(await pod.post(ORGANISATION, box.address, 'x')).toBe('absent');
});

test('a letter whose wake was lost is found when the bus is back', async () => {
  const a = await pod('a');
  const b = await pod('b', { bus: { publish: async () => undefined, subscribe: bus.subscribe } });
  const letters: string[] = [];
  const box = await a.open(ORGANISATION, (letter) => letters.push(letter));
  await b.post(ORGANISATION, box.address, 'late');
  expect(letters).toEqual([]);
  bus.gap();
  await vi.waitFor(() => expect(letters).toEqual(['late']));
});

test('what a writer of the store puts in is not delivered: foreign letters, those of other boxes, old ones and repeated ones', async () => {
  const [a, b] = [await pod('a'), await pod('b')];
  const letters: string[] = [];
  const [box, other] = [await a.open(ORGANISATION, (letter) => letters.push(letter)), await a.open(ORGANISATION, () => undefined)];
  const silent = await pod('c', { bus: { publish: async () => undefined, subscribe: bus.subscribe } });
  await silent.post(ORGANISATION, box.address, 'once');
  const written = store.values.get(`${ORGANISATION} mailbox/${box.address}`) ?? '';
  await silent.post(ORGANISATION, other.address, 'elsewhere');
  const elsewhere = store.values.get(`${ORGANISATION} mailbox/${other.address}`) ?? '';
  store.values.set(`${ORGANISATION} mailbox/${box.address}`, `${written}nonsense\n${elsewhere}${written}`);
  bus.gap();
  await vi.waitFor(() => expect(letters).toEqual(['once']));
  await silent.post(ORGANISATION, box.address, 'kept back');
  nowMs += 10 * 60_000;
  await b.post(ORGANISATION, box.address, 'fresh');
  await vi.waitFor(() => expect(letters).toEqual(['once', 'fresh']));
});

test('a pod says that it holds boxes while it does, and no longer', async () => {
  vi.useFakeTimers();
  try {
    const a = await pod('a');
    const first = await a.open(ORGANISATION, () => undefined);
    const second = await a.open(ORGANISATION, () => undefined);
    const renewed = async (): Promise<boolean> => {
      await store.delete(ORGANISATION, 'mailbox-owner/a');
      nowMs += 4_000;
      await vi.advanceTimersByTimeAsync(4_000);
      return (await store.get(ORGANISATION, 'mailbox-owner/a')) !== null;
    };
    expect(await renewed()).toBe(true);
    first.close();
    first.close();
    expect(await renewed()).toBe(true);
    second.close();
    expect(await renewed()).toBe(false);
    await a.open(ORGANISATION, () => undefined);
    expect(await renewed()).toBe(true);
    await a.close();
    expect(await renewed()).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});

test('a box is still reached on its own pod when the store is away, and by all when a store that lost it is back', async () => {
  const away = (): Promise<never> => Promise.reject(new Error('away'));
  const isAway = { value: true };
  const flaky = { ...store, set: (...args: Parameters<typeof store.set>) => (isAway.value ? away() : store.set(...args)) };
  const a = await pod('a', { store: { ...flaky, setIfAbsent: (...args) => (isAway.value ? away() : store.setIfAbsent(...args)) } });
  const b = await pod('b');
  const letters: string[] = [];
  const box = await a.open(ORGANISATION, (letter) => letters.push(letter));
  expect(await a.post(ORGANISATION, box.address, 'here')).toBe('posted');
  isAway.value = false;
  bus.gap();
  await a.open(ORGANISATION, () => undefined);
  await vi.waitFor(async () => expect(await b.post(ORGANISATION, box.address, 'there')).toBe('posted'));
  await vi.waitFor(() => expect(letters).toEqual(['here', 'there']));
});

test('a box that got no letter costs next to nothing', async () => {
  const a = await pod('a');
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const before = used();
  for (let n = 0; n < 500; n += 1) await a.open(ORGANISATION, () => undefined);
  expect((used() - before) / 500).toBeLessThan(100_000);
});
