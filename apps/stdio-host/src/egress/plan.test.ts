import { expect, test } from 'vitest';
import { planEgress } from './plan.ts';

test('each target is found where its program looks for it: names in /etc/hosts, addresses on loopback, two names apart on one port', () => {
  const plan = planEgress([
    'api.example.com:443',
    'db.internal:5432',
    'api.example.com:80',
    '10.0.0.7:6379',
    '127.0.0.1:9000',
    'localhost:9001',
  ]);
  expect(plan.offers.map(({ address, port }) => `${address}:${port}`)).toEqual([
    '127.1.0.1:443',
    '127.1.0.2:5432',
    '127.1.0.1:80',
    '10.0.0.7:6379',
    '127.0.0.1:9000',
    '127.0.0.1:9001',
  ]);
  expect(plan.addresses).toEqual(['10.0.0.7']);
  expect(plan.hosts.split('\n').slice(2, -1)).toEqual(['127.1.0.1 api.example.com', '127.1.0.2 db.internal']);
});
