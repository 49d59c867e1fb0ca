import { scanMessage } from '@patchbay/mcp-wire';
import { createKeyring } from '@patchbay/vault';
import { expect, it } from 'vitest';
import type { CallContext } from '../../pipeline/context.ts';
import type { UpstreamTarget } from '../bridge/make-bridge.ts';
import { makeRequestStates, type RequestState } from './request-state.ts';

const [OLD, NEW] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const STATE: RequestState = { kind: 'links', keys: ['e'] };

function call(params: object = {}, userId = 'ada'): CallContext {
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 't', ...params } }));
  const scanned = scanMessage(body);
  if (!scanned.ok) throw new Error(scanned.refusal.code);
  return { body, message: scanned.message, endpointServer: null, principal: { organisationId: 'o', userId } } as never;
}

const target = (generation = 'g1', id = 's1'): UpstreamTarget => ({ server: { id, generation } }) as never;

let nowMs = 0;
const states = (...keys: Buffer[]): ReturnType<typeof makeRequestStates> => makeRequestStates(createKeyring(keys), { nowMs: () => nowMs });

it('opens for the same request, however its arguments are ordered, until it expires', () => {
  nowMs = 1_000;
  const text = states(OLD).mint(call({ arguments: { a: 1, b: { c: [1, 2], d: 2 } } }), target(), STATE);
  const same = call({ arguments: { b: { d: 2, c: [1, 2] }, a: 1 } });
  expect(states(OLD).open(same, target(), text)).toEqual(STATE);
  nowMs += 15 * 60_000;
  expect(states(OLD).open(same, target(), text)).toBeNull();
});

it('opens while the key that sealed it is still known, and not after', () => {
  const text = states(OLD).mint(call(), target(), STATE);
  expect(states(NEW, OLD).open(call(), target(), text)).toEqual(STATE);
  expect(states(NEW).open(call(), target(), text)).toBeNull();
});

it.each([
  ['another user', call({}, 'bob'), target()],
  ['other arguments', call({ arguments: { a: 1 } }), target()],
  ['the same arguments in another order of a list', call({ arguments: [2, 1] }), target()],
  ['a server whose credential or address has changed', call(), target('g2')],
  ['another server', call(), target('g1', 's2')],
])('does not open for %s', (_whom, ctx, other) => {
  const minted = states(OLD);
  expect(minted.open(ctx, other, minted.mint(call(), target(), STATE))).toBeNull();
});
