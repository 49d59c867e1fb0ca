import { beforeEach, expect, test } from 'vitest';
import type { ServerId } from '@patchbay/contracts';
import type { CallContext } from '../pipeline/context.ts';
import { startPod } from '../snapshot/pod.fixture.ts';
import { type FakeOrganisation, type FakeToken, type Fleet, makeFleet, uuid } from '../snapshot/state.fixture.ts';
import { makeIsAdmitted } from './is-admitted.ts';
import { streamOwnerOf } from './stream-owner.ts';

let fleet: Fleet;
let acme: FakeOrganisation;

beforeEach(async () => {
  fleet = await makeFleet();
  acme = fleet.addOrganisation('acme');
  acme.servers.push({ id: uuid<ServerId>(), slug: 'files', tools: ['read', 'write'] });
});

/** A pod, and whether it would let the owner of a stream in that was opened with this token. */
async function admission(token: FakeToken) {
  await fleet.publish(acme);
  const pod = await startPod(fleet);
  const owner = streamOwnerOf((await pod.call('acme', token.text)) as CallContext);
  const { snapshots, tokens } = pod.state;
  const isAdmitted = makeIsAdmitted({ snapshots, tokens, clock: fleet.clock });
  return { pod, isAdmitted: async () => isAdmitted(owner) };
}

test('the owner of a stream is let in while its token is good, and no longer', async () => {
  const { isAdmitted, pod } = await admission(fleet.addToken(acme, fleet.clock.nowMs() + 60_000));
  expect(await isAdmitted()).toBe(true);
  fleet.clock.now += 60_000;
  expect(await isAdmitted()).toBe(false);
  await pod.state.stop();
});

test('a revoked token is let in no longer', async () => {
  const token = fleet.addToken(acme);
  const { isAdmitted, pod } = await admission(token);
  fleet.revoke(acme, token);
  await fleet.publish(acme);
  await pod.state.compare();
  expect(await isAdmitted()).toBe(false);
  await pod.state.stop();
});

test('a pod that is out of touch for its staleness budget lets nobody keep a stream', async () => {
  const { isAdmitted, pod } = await admission(fleet.addToken(acme));
  Object.assign(fleet.away, { stores: true, controlPlane: true });
  fleet.clock.now += 300_001;
  expect(await isAdmitted()).toBe(false);
  await pod.state.stop();
});
