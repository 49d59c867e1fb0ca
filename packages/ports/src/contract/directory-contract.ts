import { randomBytes } from 'node:crypto';
import type { OrganisationId, Revision, TokenHash } from '@patchbay/contracts';
import { describe, expect, test } from 'vitest';
import type { Directory } from '../directory.ts';
import { freshId, type Make } from './make.ts';

const tokenHash = () => randomBytes(32).toString('hex') as TokenHash;
const revision = (value: number) => value as Revision;

/** What every directory promises. */
export function describeDirectoryContract(name: string, make: Make<Directory>): void {
  describe(`directory on ${name}`, () => {
    test('an entry comes with the revision up to which the directory is true', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const [first, second] = [tokenHash(), tokenHash()];
      await writer.putTokens(organisation, revision(3), [{ tokenHash: first, jws: 'first' }]);
      expect(await reader.getToken(organisation, first)).toEqual({ entry: 'first', revision: 3 });
      await writer.putTokens(organisation, revision(4), [{ tokenHash: second, jws: 'second' }]);
      expect(await reader.getToken(organisation, first)).toEqual({ entry: 'first', revision: 4 });
    });

    test('what is not there is null, with the revision at which it was not there', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      expect(await reader.getToken(organisation, tokenHash())).toEqual({ entry: null, revision: 0 });
      await writer.putTokens(organisation, revision(9), []);
      expect(await reader.getToken(organisation, tokenHash())).toEqual({ entry: null, revision: 9 });
    });

    test('neither an entry nor the revision goes back', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const [revoked, unseen] = [tokenHash(), tokenHash()];
      await writer.putTokens(organisation, revision(8), [{ tokenHash: revoked, jws: 'revoked at 8' }]);
      await writer.putTokens(organisation, revision(5), [
        { tokenHash: revoked, jws: 'valid at 5' },
        { tokenHash: unseen, jws: 'made at 5' },
      ]);
      expect(await reader.getToken(organisation, revoked)).toEqual({ entry: 'revoked at 8', revision: 8 });
      expect(await reader.getToken(organisation, unseen)).toEqual({ entry: 'made at 5', revision: 8 });
      await writer.putTokens(organisation, revision(8), [{ tokenHash: revoked, jws: 'signed again at 8' }]);
      expect((await reader.getToken(organisation, revoked)).entry).toBe('signed again at 8');
    });

    test('a token of one organisation is unknown in another', async () => {
      const { writer, reader } = await make();
      const [ours, theirs] = [freshId<OrganisationId>(), freshId<OrganisationId>()];
      const hash = tokenHash();
      await writer.putTokens(ours, revision(1), [{ tokenHash: hash, jws: 'ours' }]);
      expect(await reader.getToken(theirs, hash)).toEqual({ entry: null, revision: 0 });
    });

    test('writers at one time neither block each other for good nor lose the highest revision', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const hashes = Array.from({ length: 40 }, tokenHash);
      const writes = Array.from({ length: 20 }, (_, k) => {
        const order = k % 2 === 0 ? hashes : [...hashes].reverse();
        return writer.putTokens(
          organisation,
          revision(k + 1),
          order.map((hash) => ({ tokenHash: hash, jws: `at ${k + 1}` })),
        );
      });
      await Promise.all(writes);
      for (const hash of hashes) expect(await reader.getToken(organisation, hash)).toEqual({ entry: 'at 20', revision: 20 });
    });

    test('no reader ever sees a revision without the entries that belong to it', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const hash = tokenHash();
      let isWriting = true;
      const writing = (async () => {
        for (let k = 1; k <= 150; k += 1) await writer.putTokens(organisation, revision(k), [{ tokenHash: hash, jws: String(k) }]);
        isWriting = false;
      })();
      let reads = 0;
      while (isWriting) {
        const { entry, revision: upTo } = await reader.getToken(organisation, hash);
        expect(Number(entry ?? 0)).toBe(upTo);
        reads += 1;
      }
      await writing;
      expect(reads).toBeGreaterThan(5);
    });

    test('a token named twice in one write has the later entry', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const hash = tokenHash();
      await writer.putTokens(organisation, revision(1), [
        { tokenHash: hash, jws: 'earlier' },
        { tokenHash: hash, jws: 'later' },
      ]);
      expect((await reader.getToken(organisation, hash)).entry).toBe('later');
    });

    test('entries of expired tokens are gone at the latest after their removal, others stay, and the revision stands', async () => {
      const { writer, reader } = await make();
      const organisation = freshId<OrganisationId>();
      const [expired, valid, endless] = [tokenHash(), tokenHash(), tokenHash()];
      await writer.putTokens(organisation, revision(2), [
        { tokenHash: expired, jws: 'expired', expiresAtMs: Date.now() - 60_000 },
        { tokenHash: valid, jws: 'valid', expiresAtMs: Date.now() + 60_000 },
        { tokenHash: endless, jws: 'endless' },
      ]);
      await writer.removeExpiredTokens();
      expect(await reader.getToken(organisation, expired)).toEqual({ entry: null, revision: 2 });
      expect((await reader.getToken(organisation, valid)).entry).toBe('valid');
      expect((await reader.getToken(organisation, endless)).entry).toBe('endless');
    });

    test('an organisation is found by its slug, as last written', async () => {
      const { writer, reader } = await make();
      const slug = `o${randomBytes(6).toString('hex')}`;
      expect(await reader.getOrganisation(slug)).toBeNull();
      await writer.putOrganisation(slug, 'one');
      await writer.putOrganisation(slug, 'two');
      expect(await reader.getOrganisation(slug)).toBe('two');
    });
  });
}
