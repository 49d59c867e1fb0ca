import type { LimitsPart } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import { appliesTo, compileLimits, counterKey } from './compile-limits.ts';

type Limit = LimitsPart['limits'][number];
const ADA = { userId: 'ada', tokenId: 'token', subjects: ['user:ada', 'everyone'] };
const TOOL = { kind: 'tool', name: 'echo' } as const;
const PROMPT = { kind: 'prompt', name: 'echo' } as const;

const limitOf = ({ applies, ...change }: Partial<Omit<Limit, 'applies'>> & { applies?: Partial<Limit['applies']> }): Limit => ({
  id: 'limit' as Limit['id'],
  name: 'limit',
  mode: 'enforce',
  per: [],
  windows: [{ windowMs: 1_000, max: 1 }],
  concurrency: null,
  ...change,
  applies: { subject: null, tokenId: null, serverId: null, tool: null, ...applies },
});

const ruleOf = (limit: Parameters<typeof limitOf>[0]) => {
  const [rule] = compileLimits([limitOf(limit)])?.ofServer('server').rules ?? [];
  if (rule === undefined) throw new Error('the limit is not one of this server');
  return rule;
};

test('no limits are none at all: a call looks at one property', () => {
  expect(compileLimits([])).toBeNull();
});

test('a server has the rules that name it or none', () => {
  const limits = compileLimits([limitOf({ name: 'all' }), limitOf({ name: 'one', applies: { serverId: 'one' as never } })]);
  expect(limits?.ofServer('one').rules.map(({ name }) => name)).toEqual(['all', 'one']);
  expect(limits?.ofServer('two').rules.map(({ name }) => name)).toEqual(['all']);
});

test('two servers never share what was found for a caller, also where the same rules apply', () => {
  const limits = compileLimits([limitOf({})]);
  expect(limits?.ofServer('one').sets).not.toBe(limits?.ofServer('two').sets);
  expect(limits?.ofServer('one')).toBe(limits?.ofServer('one'));
});

test.each<[string, Parameters<typeof limitOf>[0]['applies'], boolean]>([
  ['nothing', {}, true],
  ['everyone', { subject: { kind: 'everyone' } }, true],
  ['the caller', { subject: { kind: 'user', userId: 'ada' as never } }, true],
  ['another user', { subject: { kind: 'user', userId: 'bob' as never } }, false],
  ['their token', { tokenId: 'token' as never }, true],
  ['another token', { tokenId: 'other' as never }, false],
  ['the tool', { serverId: 'server' as never, tool: 'echo' }, true],
  ['another tool', { serverId: 'server' as never, tool: 'sum' }, false],
])('a limit that names %s counts the call: %s', (_what, applies, counts) => {
  expect(appliesTo(ruleOf({ applies: applies ?? {} }), ADA, TOOL)).toBe(counts);
});

test('a limit on a tool does not count a prompt of the same name', () => {
  expect(appliesTo(ruleOf({ applies: { serverId: 'server' as never, tool: 'echo' } }), ADA, PROMPT)).toBe(false);
});

test('a counter is named after exactly what counts apart', () => {
  const key = (per: Limit['per'], object: typeof TOOL | typeof PROMPT = TOOL): string => counterKey(ruleOf({ per }), ADA, 'server', object);
  expect(key([])).toBe('limit');
  expect(key(['user'])).toBe('limit user ada');
  expect(key(['token'])).toBe('limit token token');
  expect(key(['server'])).toBe('limit server server');
  expect(key(['tool'])).toBe('limit server server tool echo');
  expect(key(['tool'], PROMPT)).toBe('limit server server');
  expect(key(['tool', 'server', 'token', 'user'])).toBe('limit user ada token token server server tool echo');
});
