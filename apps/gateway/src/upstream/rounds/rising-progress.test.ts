import { scanMessage } from '@patchbay/mcp-wire';
import { expect, it } from 'vitest';
import type { Bridge } from '../bridge/bridge.ts';
import { RisingProgress } from './rising-progress.ts';

it('of a call that is sent again is told where it rises over what was told before, and other messages always (trap 9)', () => {
  const rising = new RisingProgress();
  const attempt = (): Bridge => rising.over({ notification: (bytes: Buffer) => bytes } as unknown as Bridge);
  const tell = (bridge: Bridge, method: string, progress: unknown): unknown => {
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', method, params: { progressToken: 1, progress } }));
    const scanned = scanMessage(bytes);
    return scanned.ok && bridge.notification(bytes, scanned.message) !== null;
  };
  const first = attempt();
  expect([0, 0.5, 2].map((progress) => tell(first, 'notifications/progress', progress))).toEqual([true, true, true]);
  const second = attempt();
  expect([0, 2, 2.5, 'far'].map((progress) => tell(second, 'notifications/progress', progress))).toEqual([false, false, true, false]);
  expect(tell(second, 'notifications/message', 0)).toBe(true);
});
