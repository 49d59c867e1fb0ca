import { expect, test } from 'vitest';
import { contractKey, type KnownNeeds, type OfferTo, withConditional } from './conditional.ts';
import type { FoundEntry } from './entries.ts';
import { LIMITS } from './limits.ts';

const tool = (name: string): FoundEntry => ({ kind: 'tool', name, bytes: Buffer.from(name), contractHash: name, needs: [] });

/** A server that offers each tool to who declares what its rule asks for. */
function server(rules: Record<string, (declared: Record<string, unknown>) => boolean>): { offerTo: OfferTo; asked: object[] } {
  const asked: object[] = [];
  return {
    asked,
    async offerTo(capabilities) {
      asked.push(capabilities);
      return Object.entries(rules).flatMap(([name, rule]) => (rule(capabilities as Record<string, unknown>) ? [tool(name)] : []));
    },
  };
}

const NOTHING: KnownNeeds = async () => new Map();
const needsOf = (entries: readonly FoundEntry[]): unknown => Object.fromEntries(entries.map(({ name, needs }) => [name, needs]));

test('a server that offers everybody the same is asked once more and no further', async () => {
  const { asked, offerTo } = server({ a: () => true });
  const plain = [tool('a')];
  expect(await withConditional(plain, offerTo, NOTHING)).toBe(plain);
  expect(asked).toHaveLength(1);
});

test('what only some clients are shown is kept with what shows it, behind what all are shown', async () => {
  const { offerTo } = server({
    ask: ({ elicitation }) => elicitation !== undefined,
    link: ({ elicitation }) => (elicitation as { url?: object } | undefined)?.url !== undefined,
    think: ({ sampling }) => sampling !== undefined,
    both: ({ roots, sampling }) => roots !== undefined && sampling !== undefined,
    a: () => true,
  });
  expect(needsOf(await withConditional([tool('a')], offerTo, NOTHING))).toEqual({
    a: [],
    ask: [['elicitation.form'], ['elicitation.url']],
    link: [['elicitation.url']],
    think: [['sampling']],
    both: [['elicitation.form', 'elicitation.url', 'roots', 'sampling']],
  });
});

test('what has come up between two looks is offered to everybody', async () => {
  let looks = 0;
  const offerTo: OfferTo = async () => {
    looks += 1;
    return looks === 1 ? [tool('a'), tool('new')] : [tool('a'), tool('new'), tool('later')];
  };
  expect(needsOf(await withConditional([tool('a')], offerTo, NOTHING))).toEqual({ a: [], new: [] });
});

test('a server that does not speak to such clients offers what it offers to all', async () => {
  const plain = [tool('a')];
  expect(await withConditional(plain, async () => null, NOTHING)).toBe(plain);
});

test('both together stay within the limits of one catalogue', async () => {
  const plain = Array.from({ length: LIMITS.entries - 1 }, (_, index) => tool(`t${index}`));
  const { offerTo } = server({ x: ({ roots }) => roots !== undefined, y: ({ roots }) => roots !== undefined });
  expect((await withConditional(plain, offerTo, NOTHING)).slice(-2).map(({ name }) => name)).toEqual([`t${LIMITS.entries - 2}`, 'x']);
});

test('what was found to depend on the client before is not found out again, until something of it is new', async () => {
  const rules = { a: () => true, think: ({ sampling }: Record<string, unknown>) => sampling !== undefined };
  const known: KnownNeeds = async () => new Map([[contractKey(tool('think')), [['sampling']]]]);
  const same = server(rules);
  expect(needsOf(await withConditional([tool('a')], same.offerTo, known))).toEqual({ a: [], think: [['sampling']] });
  expect(same.asked).toHaveLength(1);
  const grown = server({ ...rules, root: ({ roots }) => roots !== undefined });
  expect(needsOf(await withConditional([tool('a')], grown.offerTo, known))).toMatchObject({ think: [['sampling']], root: [['roots']] });
  expect(grown.asked).toHaveLength(6);
});
