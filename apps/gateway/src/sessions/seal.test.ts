import { OrganisationId, ServerId, UserId } from '@patchbay/contracts';
import { createKeyring } from '@patchbay/vault';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openSealedSession, type SealedSession, sealSession, SESSION_ID_CHARACTERS_MAX } from './seal.ts';

const OLD = Buffer.alloc(32, 1);
const KEYRING = createKeyring([OLD]);

const uuid = fc.uuid({ version: 4 });
const binding = fc.record({
  organisationId: uuid.map((id) => OrganisationId.parse(id)),
  serverId: fc.option(uuid.map((id) => ServerId.parse(id))),
  userId: uuid.map((id) => UserId.parse(id)),
});
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const object = fc.dictionary(text, fc.jsonValue({ maxDepth: 1 }), { maxKeys: 2 }).map((value) => JSON.stringify(value));
const sealed: fc.Arbitrary<SealedSession> = fc
  .record({
    binding,
    hasFacts: fc.boolean(),
    capabilities: object,
    clientInfo: fc.option(object),
    key: text,
    protocolVersion: text,
    expiresAtMs: fc.maxSafeInteger(),
    upstreamSessionId: fc.option(text),
    upstreamInstance: fc.option(text),
  })
  .map(({ binding: bound, hasFacts, ...members }) => ({ hasFacts, session: { ...bound, ...members } }));

const json = (value: string | null): unknown => (value === null ? null : JSON.parse(value));

test('a session id says in its own binding what was sealed into it, whatever a client called itself', () => {
  fc.assert(
    fc.property(sealed, ({ hasFacts, session }) => {
      const id = sealSession(KEYRING, { hasFacts, session });
      fc.pre(id.length <= SESSION_ID_CHARACTERS_MAX);
      const opened = openSealedSession(KEYRING, session, id);
      const { capabilities, clientInfo, ...rest } = session;
      expect(opened?.hasFacts).toBe(hasFacts);
      expect(opened?.session).toMatchObject(rest);
      expect(json(opened?.session.capabilities ?? null)).toEqual(hasFacts ? json(capabilities) : {});
      expect(json(opened?.session.clientInfo ?? null)).toEqual(hasFacts ? json(clientInfo) : null);
    }),
  );
});

test('it opens in no other binding, and under no key but those of its fleet, of which a rotated one still opens it (trap 22)', () => {
  const stranger = createKeyring([Buffer.alloc(32, 3)]);
  const rotated = createKeyring([Buffer.alloc(32, 2), OLD]);
  fc.assert(
    fc.property(sealed, binding, ({ hasFacts, session }, other) => {
      const id = sealSession(KEYRING, { hasFacts, session });
      fc.pre(id.length <= SESSION_ID_CHARACTERS_MAX);
      for (const changed of [
        other,
        ...(['organisationId', 'serverId', 'userId'] as const).map((name) => ({ ...session, [name]: other[name] })),
      ]) {
        const isSame = (['organisationId', 'serverId', 'userId'] as const).every((name) => changed[name] === session[name]);
        if (!isSame) expect(openSealedSession(KEYRING, changed, id)).toBeNull();
      }
      expect(openSealedSession(stranger, session, id)).toBeNull();
      expect(openSealedSession(rotated, session, id)).not.toBeNull();
    }),
  );
});

test('whatever is presented as a session id neither opens nor throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary', maxLength: 2_000 }), fc.base64String({ maxLength: 1_100 })),
      binding,
      (presented, bound) => {
        expect(openSealedSession(KEYRING, bound, presented)).toBeNull();
      },
    ),
  );
});
