import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { makeHandshake } from './handshake.ts';

const MINUTE_MS = 60_000;
const own = {
  protocol: { oldest: 1, newest: 1 },
  secretVariable: 'PATCHBAY_GATEWAY_SECRET_FILE',
  keys: { snapshotKeyIds: ['key'], tokenTagKeyId: 'tag' },
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Says = { readonly status: number | null; readonly text: string };
const away: Says = { status: null, text: '' };
const saying = (said: object): Says => ({ status: 200, text: JSON.stringify({ protocol: own.protocol, ...said }) });

/** A gateway before control planes that say what the test has put there. */
function gateway(...says: Says[]) {
  const logged: string[] = [];
  const log = (level: string) => (fields: object, message: string) => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const fleet = {
    asked: 0,
    askEach: async () => ((fleet.asked += 1), says.map((each, k) => ({ from: new URL(`http://cp${k}`), ...each }))),
  };
  const handshake = makeHandshake({ fleet, own, log: { info: log('info'), warn: log('warn'), error: log('error') } });
  return { handshake, says, logged, fleet };
}

test('one control plane of several that differs is enough to refuse the start', async () => {
  const { handshake } = gateway(saying({ snapshotKeyId: 'key' }), saying({ snapshotKeyId: 'other' }));
  await expect(handshake.greet()).rejects.toThrow(/^PATCHBAY_SNAPSHOT_PUBLIC_KEY_FILE does not hold .* at http:\/\/cp1 /);
});

test('control planes that are away, failing or too old to say do not keep a gateway from starting', async () => {
  const { handshake } = gateway(away, { status: 503, text: '' }, { status: 404, text: '{}' });
  await handshake.greet();
  expect(handshake.differs()).toBe(false);
  handshake.stop();
});

test('what differs later is told once, lasts while that control plane is away, and ends with its next good word', async () => {
  const { handshake, says, logged, fleet } = gateway(away);
  await handshake.greet();
  says[0] = saying({ tokenTagKeyId: 'other' });
  await vi.advanceTimersByTimeAsync(MINUTE_MS);
  expect(handshake.differs()).toBe(true);
  await vi.advanceTimersByTimeAsync(2 * MINUTE_MS);
  says[0] = away;
  await vi.advanceTimersByTimeAsync(MINUTE_MS);
  expect(handshake.differs()).toBe(true);
  expect(logged).toHaveLength(1);
  expect(logged[0]).toMatch(/^error .*PATCHBAY_TOKEN_TAG_KEY_FILE/);
  says[0] = saying({ tokenTagKeyId: 'tag' });
  await vi.advanceTimersByTimeAsync(MINUTE_MS);
  expect([handshake.differs(), logged.length]).toEqual([false, 2]);
  handshake.stop();
  const { asked } = fleet;
  await vi.advanceTimersByTimeAsync(3 * MINUTE_MS);
  expect(fleet.asked).toBe(asked);
});
