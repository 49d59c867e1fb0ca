import { once } from 'node:events';
import { createServer } from 'node:http';
import { drainServer } from '@patchbay/telemetry';
import { expect, test } from 'vitest';
import { whyNotReady } from './why-not-ready.ts';

test('a gateway is ready once its state is whole and its port takes calls, and no longer when it drains', async () => {
  const calls = createServer();
  expect(whyNotReady({ calls, notReadyBecause: null })).toMatch(/^starting/);
  expect(whyNotReady({ calls, notReadyBecause: 'no word of a control plane' })).toBe('no word of a control plane');
  calls.listen(0, '127.0.0.1');
  await once(calls, 'listening');
  expect(whyNotReady({ calls, notReadyBecause: 'no word of a control plane' })).toBe('no word of a control plane');
  expect(whyNotReady({ calls, notReadyBecause: null })).toBeNull();
  await drainServer(calls, { limitMs: 1_000 });
  expect(whyNotReady({ calls, notReadyBecause: null })).toMatch(/^draining/);
});
