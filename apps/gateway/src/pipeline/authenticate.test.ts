import { beforeEach, describe, expect, test, vi } from 'vitest';
import { hashToken, mintToken } from '@patchbay/tokens';
import type { TokenId } from '@patchbay/contracts';
import { startPod } from '../snapshot/pod.fixture.ts';
import { makeFleet, uuid, type FakeOrganisation, type FakeToken, type Fleet } from '../snapshot/state.fixture.ts';
import type { CallContext } from './context.ts';

let fleet: Fleet;
let acme: FakeOrganisation;
let token: FakeToken;

beforeEach(async () => {
  fleet = await makeFleet();
  acme = fleet.addOrganisation('acme');
  token = fleet.addToken(acme);
  await fleet.publish(acme);
});

const passes = (outcome: string | CallContext): boolean => typeof outcome !== 'string';

describe('who gets in', () => {
  test('a warm call is synchronous and sets principal, token hash and snapshot', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    const ctx = pod.contextOf('acme', ['authorization', `bearer ${token.text}`]);
    expect(pod.authenticate(ctx)).toBeUndefined();
    expect(ctx.principal).toEqual({
      organisationId: acme.id,
      userId: token.userId,
      tokenId: token.tokenId,
      subjects: [`user:${token.userId}`, 'everyone'],
    });
    expect(ctx.tokenHash).toBe(token.hash);
    expect(ctx.snapshot?.organisationSlug).toBe('acme');
    await pod.state.stop();
  });

  test('every bad token ends with one and the same refusal', async () => {
    const other = fleet.addOrganisation('other');
    const foreign = fleet.addToken(other);
    const expired = fleet.addToken(acme, fleet.clock.now - 1);
    const revoked = fleet.addToken(acme);
    revoked.revoked = true;
    await fleet.publish(acme);
    await fleet.publish(other);
    const pod = await startPod(fleet);
    await pod.call('other', foreign.text);
    const bearer = (text: string): string[] => ['Authorization', `Bearer ${text}`];
    const id = uuid<TokenId>();
    const cases: Record<string, [slug: string, headers: string[]]> = {
      'no header': ['acme', []],
      'another scheme': ['acme', ['Authorization', `Basic ${token.text}`]],
      'two headers': ['acme', [...bearer(token.text), ...bearer(token.text)]],
      malformed: ['acme', bearer(`${token.text.slice(0, -1)}!`)],
      'too long': ['acme', bearer(`pbpat_${'a'.repeat(8_000)}`)],
      'forged tag': ['acme', bearer(mintToken('pbpat', id, Buffer.alloc(32, 1)))],
      'an API token': ['acme', bearer(mintToken('pbapi', id, fleet.tagKey))],
      unknown: ['acme', bearer(mintToken('pbpat', id, fleet.tagKey))],
      expired: ['acme', bearer(expired.text)],
      revoked: ['acme', bearer(revoked.text)],
      "another organisation's": ['acme', bearer(foreign.text)],
      'unknown organisation': ['nowhere', bearer(token.text)],
      'no organisation': ['../../etc', bearer(token.text)],
    };
    for (const [title, [slug, headers]] of Object.entries(cases)) {
      const outcome = await pod.authenticate(pod.contextOf(slug, headers));
      expect([title, outcome]).toEqual([title, { code: 'auth.invalid_token', detail: null, data: null }]);
    }
    await pod.state.stop();
  });

  test('an invented token costs no lookup', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    const asked = { ...fleet.calls };
    for (let index = 0; index < 50; index += 1) await pod.call('acme', mintToken('pbpat', uuid<TokenId>(), Buffer.alloc(32, 1)));
    expect(fleet.calls.getToken).toBe(asked.getToken);
    await pod.state.stop();
  });

  test('a token expires while it is cached', async () => {
    const brief = fleet.addToken(acme, fleet.clock.now + 1_000);
    const pod = await startPod(fleet);
    expect(passes(await pod.call('acme', brief.text))).toBe(true);
    fleet.clock.now += 1_000;
    expect(await pod.call('acme', brief.text)).toBe('auth.invalid_token');
    await pod.state.stop();
  });
});

describe('revocation', () => {
  test('an announced invalidation is in force before its revision is published', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.revoke(acme, token);
    acme.revision += 1;
    await fleet.announceNow(acme);
    await vi.waitFor(() => expect(pod.state.tokens.peek(token.hash)).toBeUndefined(), { timeout: 250, interval: 2 });
    expect(await pod.call('acme', token.text)).toBe('auth.invalid_token');
    await pod.state.stop();
  });

  test('an answer that was read before an invalidation and arrives after it is not believed', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', fleet.addToken(acme).text);
    let open = (): void => undefined;
    fleet.gate.getToken = () => new Promise((resolve) => void (open = resolve));
    const late = pod.call('acme', token.text);
    await vi.waitFor(() => expect(fleet.calls.getToken).toBe(2));
    fleet.revoke(acme, token);
    await fleet.publish(acme, { writeTokens: false });
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2));
    open();
    expect(await late).toBe('auth.invalid_token');
    await pod.state.stop();
  });

  test('a store that is put back to an old entry cannot un-revoke: the manifest names the token', async () => {
    const pod = await startPod(fleet);
    const before = fleet.stored.tokens.get(token.hash) ?? '';
    await pod.call('acme', token.text);
    fleet.revoke(acme, token);
    await fleet.publish(acme);
    fleet.stored.tokens.set(token.hash, before);
    fleet.stored.directoryRevision = 1_000;
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2));
    fleet.away.controlPlane = true;
    expect(await pod.call('acme', token.text)).toBe('auth.invalid_token');
    fleet.away.controlPlane = false;
    expect(await pod.call('acme', token.text)).toBe('auth.invalid_token');
    await pod.state.stop();
  });

  test('an invalidated user is looked up again and let in as who they are now', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    acme.invalidations.push({ kind: 'user', revision: 2 as never, userId: token.userId });
    await fleet.publish(acme);
    await vi.waitFor(() => expect(pod.state.tokens.peek(token.hash)).toBeUndefined());
    expect(passes(await pod.call('acme', token.text))).toBe(true);
    await pod.state.stop();
  });

  test('after a gap longer than manifests remember, everything cached is asked for again', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    fleet.clock.now += 11 * 60_000;
    token.revoked = true;
    await fleet.publish(acme);
    await vi.waitFor(() => expect(pod.state.snapshots.current('acme')?.revision).toBe(2));
    expect(await pod.call('acme', token.text)).toBe('auth.invalid_token');
    await pod.state.stop();
  });
});

describe('lookups', () => {
  test('503 and not 401 when nobody can say; the next call asks again', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    const fresh = fleet.addToken(acme);
    fleet.away.controlPlane = true;
    expect(await pod.call('acme', fresh.text)).toBe('auth.unavailable');
    fleet.away.controlPlane = false;
    expect(passes(await pod.call('acme', fresh.text))).toBe(true);
    await pod.state.stop();
  });

  test('a wrong token of the same id is remembered as bad without locking its owner out', async () => {
    const pod = await startPod(fleet);
    const wrong = mintToken('pbpat', token.tokenId, fleet.tagKey);
    expect(await pod.call('acme', wrong)).toBe('auth.invalid_token');
    const asked = fleet.calls.controlPlaneToken;
    expect(await pod.call('acme', wrong)).toBe('auth.invalid_token');
    expect(fleet.calls.controlPlaneToken).toBe(asked);
    expect(passes(await pod.call('acme', token.text))).toBe(true);
    await pod.state.stop();
  });

  test('what was unknown is asked again after two seconds', async () => {
    const pod = await startPod(fleet);
    const fresh = fleet.addToken(acme);
    acme.tokens.delete(fresh.hash);
    expect(await pod.call('acme', fresh.text)).toBe('auth.invalid_token');
    acme.tokens.set(fresh.hash, fresh);
    fleet.clock.now += 2_001;
    expect(passes(await pod.call('acme', fresh.text))).toBe(true);
    await pod.state.stop();
  });

  test('an address with too many misses gets 503; others and cached tokens are not touched', async () => {
    const pod = await startPod(fleet);
    await pod.call('acme', token.text);
    const outcomes = new Set<unknown>();
    for (let index = 0; index < 260; index += 1)
      outcomes.add(await pod.call('acme', mintToken('pbpat', uuid<TokenId>(), fleet.tagKey), '10.0.0.1'));
    expect([...outcomes]).toEqual(['auth.invalid_token', 'auth.unavailable']);
    expect(pod.state.counters.missesLimited).toBe(60);
    expect(passes(await pod.call('acme', token.text, '10.0.0.1'))).toBe(true);
    const colleague = fleet.addToken(acme);
    expect(passes(await pod.call('acme', colleague.text, '10.0.0.2'))).toBe(true);
    await pod.state.stop();
  });

  test('an entry of the directory that belongs to another token is not believed', async () => {
    const victim = fleet.addToken(acme);
    await fleet.publish(acme);
    const attacker = mintToken('pbpat', uuid<TokenId>(), fleet.tagKey);
    fleet.stored.tokens.set(hashToken(attacker), fleet.stored.tokens.get(victim.hash) ?? '');
    const pod = await startPod(fleet);
    expect(await pod.call('acme', attacker)).toBe('auth.invalid_token');
    expect(pod.state.counters.refused.other_organisation).toBe(1);
    await pod.state.stop();
  });
});
