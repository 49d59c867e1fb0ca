import type { OrganisationId } from '@patchbay/contracts';
import { describe, expect, test, vi } from 'vitest';
import type { SharedStore } from '../shared-store.ts';
import { freshId, type Make } from './make.ts';

const MINUTE = 60_000;
const SHORT = 40;

/** What every shared store promises. Both sides may write. */
export function describeSharedStoreContract(name: string, make: Make<SharedStore>): void {
  describe(`shared store on ${name}`, () => {
    test('what one pod sets another gets, until it is deleted', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      await reader.set(organisation, 'key', 'one', MINUTE);
      await reader.set(organisation, 'key', 'two', MINUTE);
      expect(await writer.get(organisation, 'key')).toBe('two');
      await writer.delete(organisation, 'key');
      await writer.delete(organisation, 'key');
      expect(await reader.get(organisation, 'key')).toBeNull();
    });

    test('the same key of two organisations is two facts', async () => {
      const { reader } = await make();
      const [ours, theirs] = [freshId<OrganisationId>(), freshId<OrganisationId>()];
      await reader.set(ours, 'key', 'ours', MINUTE);
      expect(await reader.get(theirs, 'key')).toBeNull();
      await reader.delete(theirs, 'key');
      expect(await reader.get(ours, 'key')).toBe('ours');
    });

    test('a fact ends at its expiry, for every operation', async () => {
      const { reader } = await make();
      const organisation = freshId<OrganisationId>();
      await reader.set(organisation, 'key', 'old', SHORT);
      await vi.waitFor(async () => expect(await reader.get(organisation, 'key')).toBeNull());
      expect(await reader.compareAndSet(organisation, 'key', 'old', 'new', MINUTE)).toBeNull();
      expect(await reader.get(organisation, 'key')).toBeNull();
      expect(await reader.setIfAbsent(organisation, 'key', 'next', MINUTE)).toBe('next');
      expect(await reader.get(organisation, 'key')).toBe('next');
    });

    test('of many pods that set if absent at one time exactly one wins, and all learn who', async () => {
      const { writer, reader } = await make();
      for (let round = 0; round < 5; round += 1) {
        const organisation = freshId<OrganisationId>();
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, k) => (k % 2 ? writer : reader).setIfAbsent(organisation, 'key', `pod ${k}`, MINUTE)),
        );
        expect(new Set(answers).size).toBe(1);
        expect(await reader.get(organisation, 'key')).toBe(answers[0]);
      }
    });

    test('setting if absent leaves the value and the expiry of the one that was first', async () => {
      const { reader } = await make();
      const organisation = freshId<OrganisationId>();
      expect(await reader.setIfAbsent(organisation, 'key', 'first', 300)).toBe('first');
      expect(await reader.setIfAbsent(organisation, 'key', 'second', MINUTE)).toBe('first');
      await vi.waitFor(async () => expect(await reader.get(organisation, 'key')).toBeNull(), 3_000);
    });

    test('compare and set replaces only what was expected, and says what stands', async () => {
      const { reader } = await make();
      const organisation = freshId<OrganisationId>();
      expect(await reader.compareAndSet(organisation, 'key', 'a', 'b', MINUTE)).toBeNull();
      await reader.set(organisation, 'key', 'a', MINUTE);
      expect(await reader.compareAndSet(organisation, 'key', 'a', 'b', MINUTE)).toBe('b');
      expect(await reader.compareAndSet(organisation, 'key', 'a', 'c', MINUTE)).toBe('b');
      expect(await reader.get(organisation, 'key')).toBe('b');
    });

    test('of many pods that replace the same value exactly one wins, and all learn who', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      await reader.set(organisation, 'key', 'old', MINUTE);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, k) => (k % 2 ? writer : reader).compareAndSet(organisation, 'key', 'old', `pod ${k}`, MINUTE)),
      );
      expect(new Set(answers).size).toBe(1);
      expect(answers[0]).toMatch(/^pod /);
    });

    test('what many pods append at one time is all there, each once, in the order of each pod', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      await reader.set(organisation, 'box', '', MINUTE);
      const taken: string[] = [];
      const appendAll = async (pod: SharedStore, name: string): Promise<void> => {
        for (let k = 0; k < 25; k += 1) expect(await pod.append(organisation, 'box', `${name}${k}\n`, 10_000)).toBe('appended');
      };
      const takeAll = async (): Promise<void> => {
        for (let k = 0; k < 25; k += 1) taken.push(...((await reader.take(organisation, 'box')) ?? '').split('\n'));
      };
      await Promise.all([appendAll(writer, 'a'), appendAll(reader, 'b'), takeAll()]);
      taken.push(...((await writer.take(organisation, 'box')) ?? '').split('\n'));
      for (const name of ['a', 'b'])
        expect(taken.filter((line) => line.startsWith(name))).toEqual(Array.from({ length: 25 }, (_, k) => `${name}${k}`));
      expect(await reader.take(organisation, 'box')).toBe('');
    });

    test('nothing is appended to or taken from what does not stand, and nothing beyond the limit', async () => {
      const { reader } = await make();
      const organisation = freshId<OrganisationId>();
      expect(await reader.append(organisation, 'box', 'x', 10)).toBe('absent');
      expect(await reader.take(organisation, 'box')).toBeNull();
      await reader.set(organisation, 'box', 'four', MINUTE);
      expect(await reader.append(organisation, 'box', '1234567', 10)).toBe('full');
      expect(await reader.append(organisation, 'box', '123456', 10)).toBe('appended');
      expect(await reader.take(organisation, 'box')).toBe('four123456');
      await reader.delete(organisation, 'box');
      expect(await reader.append(organisation, 'box', 'x', 10)).toBe('absent');
    });

    test('appending and taking leave the expiry', async () => {
      const { reader } = await make();
      const organisation = freshId<OrganisationId>();
      await reader.set(organisation, 'box', 'x', 300);
      expect(await reader.append(organisation, 'box', 'y', 10)).toBe('appended');
      expect(await reader.take(organisation, 'box')).toBe('xy');
      await vi.waitFor(async () => expect(await reader.take(organisation, 'box')).toBeNull(), 3_000);
      expect(await reader.append(organisation, 'box', 'y', 10)).toBe('absent');
    });
  });
}
