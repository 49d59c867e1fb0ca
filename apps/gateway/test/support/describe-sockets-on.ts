import type { Ports } from '@patchbay/ports';
import { MODERN_ASKING_TOOLS, type ModernAskingUpstream, startModernAskingUpstream } from '@patchbay/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AskingUpstream, startAskingUpstream } from './asking-upstream.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { openHeldCall } from './held-call.ts';
import { askedIn, modernCall, textIn } from './modern-call.ts';

const CALLS = 30;

/** Three pods on a real store and bus: what one of them holds a socket for comes in on another. */
export function describeSocketsOn(name: string, open: () => Promise<{ pods: Ports[]; stop(): Promise<void> }>): void {
  describe(`sockets that one pod holds, on ${name}`, () => {
    let store: Awaited<ReturnType<typeof open>>;
    let upstream: ModernAskingUpstream;
    /** Its streams cannot be taken up again: only the pod that has one can hold it. */
    let old: AskingUpstream;
    let pods: TestGateway[];

    beforeAll(async () => {
      store = await open();
      upstream = await startModernAskingUpstream();
      old = await startAskingUpstream({ isNumbered: false });
      const server = {
        id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c11',
        slug: 'new',
        url: upstream.url,
        era: 'modern',
        tools: MODERN_ASKING_TOOLS,
      } as const;
      const oldServer = {
        id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c12',
        slug: 'old',
        url: old.url,
        era: 'legacy',
        tools: ['ask', 'ask_elsewhere'],
        requestMs: 20_000,
      } as const;
      const servers = [server, oldServer];
      pods = await Promise.all(store.pods.map(({ bus, sharedStore }) => startGateway({ servers, bus, store: sharedStore })));
    });

    afterAll(async () => {
      await Promise.all(pods.map((pod) => pod.close()));
      await Promise.all([upstream.close(), old.close()]);
      await store.stop();
    });

    test('each of many answers reaches its own call, whichever pod holds it and whichever gets the answer', async () => {
      const url = (k: number): string => pods[k % pods.length]?.url('new') ?? '';
      const calls = Array.from({ length: CALLS }, async (_, k) => {
        const held = await openHeldCall(url(k));
        const accepted = await held.answer(url(k + 1), { action: 'accept', content: { value: `for ${k}` } });
        return [accepted.status, await held.rest()] as const;
      });
      for (const [k, [status, rest]] of (await Promise.all(calls)).entries()) {
        expect(status).toBe(202);
        expect(rest).toContain(`for ${k}\\"`);
      }
    });

    test('each of many answers reaches its own call of a server whose streams cannot be resumed, for clients without sessions', async () => {
      const calls = Array.from({ length: CALLS }, (_, k) => callUntilAnswered('ask', k));
      expect(await Promise.all(calls)).toEqual(calls.map((_, k) => `Hello for ${k}`));
      expect(old.executed.get('ask')).toBe(CALLS);
    }, 60_000);

    test('what a server asks outside of many calls is asked and answered once each, whichever pod reads it', async () => {
      const calls = Array.from({ length: CALLS }, (_, k) => callUntilAnswered('ask_elsewhere', k));
      for (const text of await Promise.all(calls)) expect(text).toMatch(/^Hello for \d+$/);
      expect(old.executed.get('ask_elsewhere')).toBe(CALLS);
    }, 60_000);

    /** Each request on the next pod. */
    async function callUntilAnswered(name: string, k: number): Promise<string | undefined> {
      const url = (round: number): string => pods[(k + round) % pods.length]?.url('old') ?? '';
      let sent = await modernCall(url(0), { name });
      for (let round = 1; sent.json.result?.['resultType'] === 'input_required'; round += 1) {
        const { keys, requestState } = askedIn(sent);
        const answers = keys.map((key) => [key, { action: 'accept', content: { name: `for ${k}` } }]);
        // oxlint-disable-next-line no-await-in-loop -- each round needs what came of the one before
        sent = await modernCall(url(round), { name, inputResponses: Object.fromEntries(answers), requestState });
      }
      return textIn(sent);
    }

    test('a call is taken back on another pod than the one that holds it', async () => {
      const held = await openHeldCall(pods[0]?.url('new') ?? '');
      expect((await held.cancel(pods[1]?.url('new') ?? '')).status).toBe(202);
      expect(await held.rest()).toBe('');
    });

    test('a pod that stops takes its calls with it, and whoever answers one is told so at once', async () => {
      const held = await openHeldCall(pods[2]?.url('new') ?? '');
      await pods[2]?.close();
      await expect(held.rest()).rejects.toThrow();
      const refused = await held.answer(pods[0]?.url('new') ?? '', { action: 'accept', content: { value: 'late' } });
      expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('has stopped') as string]);
    });
  });
}
