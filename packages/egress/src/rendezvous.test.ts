import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rendezvousOrder } from './rendezvous.ts';

const order = (key: string, names: readonly string[]): string[] => rendezvousOrder(key, names, (name) => name);
const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 });

test('every program finds the same order, however its list is written', () => {
  fc.assert(
    fc.property(fc.string(), names, (key, hosts) => {
      expect(order(key, hosts.toReversed())).toEqual(order(key, hosts));
    }),
  );
});

test('a candidate that leaves takes nobody else from its place', () => {
  fc.assert(
    fc.property(fc.string(), names, fc.nat(), (key, hosts, pick) => {
      const gone = hosts[pick % hosts.length];
      const rest = (list: string[]): string[] => list.filter((name) => name !== gone);
      expect(order(key, rest(hosts))).toEqual(rest(order(key, hosts)));
    }),
  );
});

test('keys spread evenly', () => {
  const first = Array.from({ length: 3_000 }, (_, index) => order(`key-${index}`, ['a', 'b', 'c'])[0]);
  for (const name of ['a', 'b', 'c']) expect(first.filter((each) => each === name).length).toBeGreaterThan(850);
});
