import { createHash, randomBytes } from 'node:crypto';
import type { OrganisationId, PartHash, Revision } from '@patchbay/contracts';
import { describe, expect, test } from 'vitest';
import type { Parts } from '../parts.ts';
import { freshId, type Make } from './make.ts';

function part(bytes: Buffer = randomBytes(100)): { hash: PartHash; bytes: Buffer } {
  return { hash: createHash('sha256').update(bytes).digest('hex') as PartHash, bytes };
}

const at = (epoch: number, revision: number) => ({ epoch, revision: revision as Revision });

/** What every store of parts and manifests promises. */
export function describePartsContract(name: string, make: Make<Parts>): void {
  describe(`parts on ${name}`, () => {
    test('parts come back byte for byte, and those that are not there are left out', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const [small, large, absent] = [part(), part(randomBytes(3_000_000)), part()];
      await writer.putParts(organisation, [small, large]);
      await writer.putParts(organisation, [small]);
      const found = await reader.getParts(organisation, [small.hash, large.hash, absent.hash]);
      expect([...found.keys()].sort()).toEqual([small.hash, large.hash].sort());
      expect(found.get(large.hash)?.equals(large.bytes)).toBe(true);
      expect(found.get(small.hash)?.equals(small.bytes)).toBe(true);
      expect(await writer.missing(organisation, [absent.hash, small.hash])).toEqual([absent.hash]);
    });

    test('nothing asked for is nothing found', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      await writer.putParts(organisation, []);
      expect(await writer.missing(organisation, [])).toEqual([]);
      expect((await reader.getParts(organisation, [])).size).toBe(0);
    });

    test("one organisation's parts and manifests are not another's", async () => {
      const { writer, reader } = await make();
      const [ours, theirs] = [freshId<OrganisationId>(), freshId<OrganisationId>()];
      const stored = part();
      await writer.putParts(ours, [stored]);
      await writer.putManifest(ours, at(1, 1), 'ours');
      expect((await reader.getParts(theirs, [stored.hash])).size).toBe(0);
      expect(await writer.missing(theirs, [stored.hash])).toEqual([stored.hash]);
      expect(await reader.getManifest(theirs)).toBeNull();
    });

    test('a manifest never goes back: the order is epoch, then revision', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      expect(await reader.getManifest(organisation)).toBeNull();
      await writer.putManifest(organisation, at(1, 7), '1.7');
      await writer.putManifest(organisation, at(1, 6), '1.6');
      expect(await reader.getManifest(organisation)).toBe('1.7');
      await writer.putManifest(organisation, at(1, 7), '1.7 signed again');
      expect(await reader.getManifest(organisation)).toBe('1.7 signed again');
      await writer.putManifest(organisation, at(2, 1), '2.1');
      await writer.putManifest(organisation, at(1, 900), '1.900');
      expect(await reader.getManifest(organisation)).toBe('2.1');
    });

    test('a manifest and small parts are stored in one step; where a higher one stands, it says so', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const [one, other] = [part(), part(Buffer.from([0, 255, 10, 13, 0]))];
      expect(await writer.putManifest(organisation, at(1, 7), '1.7', [one, other])).toBe(true);
      const found = await reader.getParts(organisation, [one.hash, other.hash]);
      expect([one, other].map(({ hash, bytes }) => found.get(hash)?.equals(bytes))).toEqual([true, true]);
      expect(await writer.putManifest(organisation, at(1, 7), '1.7 again', [one])).toBe(true);
      expect(await writer.putManifest(organisation, at(1, 6), '1.6', [part()])).toBe(false);
      expect(await reader.getManifest(organisation)).toBe('1.7 again');
      // What came with a manifest is garbage as any other part, once it is old.
      await new Promise((resolve) => setTimeout(resolve, 30));
      await writer.collectGarbage(organisation, [one.hash], 10);
      expect([...(await reader.getParts(organisation, [one.hash, other.hash])).keys()]).toEqual([one.hash]);
    });

    test('one that was removed stands in no other’s way', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      await writer.putManifest(organisation, at(9, 999), 'not ours');
      await writer.removeManifest(organisation);
      expect(await reader.getManifest(organisation)).toBeNull();
      await writer.putManifest(organisation, at(1, 7), '1.7');
      expect(await reader.getManifest(organisation)).toBe('1.7');
    });

    test('where manifests stand is known of those that are there, and of no others', async () => {
      const { writer, reader } = await make();
      const [one, two, none] = [freshId<OrganisationId>(), freshId<OrganisationId>(), freshId<OrganisationId>()];
      await writer.putManifest(one, at(1, 7), '1.7');
      await writer.putManifest(one, at(1, 6), '1.6');
      await writer.putManifest(two, at(3, 0), '3.0');
      const positions = await reader.getPositions([one, two, none]);
      expect([...positions].sort(([a], [b]) => (a === one ? -1 : b === one ? 1 : 0))).toEqual([
        [one, { epoch: 1, revision: 7 }],
        [two, { epoch: 3, revision: 0 }],
      ]);
      expect(await reader.getPositions([])).toEqual(new Map());
    });

    test('of manifests written at one time the highest stays', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const revisions = Array.from({ length: 20 }, (_, k) => ((k * 7) % 20) + 1);
      await Promise.all(revisions.map((revision) => writer.putManifest(organisation, at(1, revision), String(revision))));
      expect(await reader.getManifest(organisation)).toBe('20');
    });

    test('garbage collection takes what is old and not kept, of this organisation alone', async () => {
      const { writer, reader } = await make();
      const [organisation, other] = [freshId<OrganisationId>(), freshId<OrganisationId>()];
      const [kept, old, elsewhere] = [part(), part(), part()];
      await writer.putParts(organisation, [kept, old]);
      await writer.putParts(other, [elsewhere]);
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(await writer.collectGarbage(organisation, [kept.hash], 60_000)).toBe(0);
      expect(await writer.collectGarbage(organisation, [kept.hash], 10)).toBe(1);
      expect([...(await reader.getParts(organisation, [kept.hash, old.hash])).keys()]).toEqual([kept.hash]);
      expect((await reader.getParts(other, [elsewhere.hash])).size).toBe(1);
    });

    test('a part that a publisher has just found there is not old', async () => {
      const { writer } = await make();
      const organisation = freshId<OrganisationId>();
      const found = part();
      await writer.putParts(organisation, [found]);
      await new Promise((resolve) => setTimeout(resolve, 600));
      await writer.missing(organisation, [found.hash]);
      expect(await writer.collectGarbage(organisation, [], 500)).toBe(0);
    });
  });
}
