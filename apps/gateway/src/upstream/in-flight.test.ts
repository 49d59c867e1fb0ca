import { createKeyring } from '@patchbay/vault';
import { expect, test } from 'vitest';
import { memoryBus } from '../mailbox/memory-ports.fixture.ts';
import { type InFlight, makeInFlight } from './in-flight.ts';

const KEYRING = createKeyring([Buffer.alloc(32, 1)]);
const clock = { at: 1_000_000, nowMs: () => clock.at };

async function pod(bus: ReturnType<typeof memoryBus>): Promise<InFlight> {
  const inFlight = makeInFlight({ bus, keyring: KEYRING, clock, logger: { warn: () => undefined } });
  await inFlight.listen();
  return inFlight;
}

test('a call is taken back on the pod where it waits, by exactly its session and id: "0" is not 0', async () => {
  const bus = memoryBus();
  const [a, b] = [await pod(bus), await pod(bus)];
  const cancelled: string[] = [];
  a.add('session', 0, () => cancelled.push('number'));
  a.add('session', '0', () => cancelled.push('string'));
  a.add('other', 0, () => cancelled.push('other'));
  expect(b.cancel('session', 0)).toBe(false);
  await b.cancelElsewhere('session', 0);
  expect(cancelled).toEqual(['number']);
});

test('what was said on the bus can be repeated there without effect, later and by whoever has not the fleet’s key', async () => {
  const bus = memoryBus();
  const [a, b] = [await pod(bus), await pod(bus)];
  const cancelled: string[] = [];
  await b.cancelElsewhere('session', 1);
  a.add('session', 1, () => cancelled.push('later'));
  clock.at += 60_001;
  await bus.publish('sessions', bus.said[0]?.[1] ?? '');
  await bus.publish('sessions', 'nonsense');
  expect(cancelled).toEqual([]);
  expect(bus.said[0]?.[1]).not.toContain('session');
});
