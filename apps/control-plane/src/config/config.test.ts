import { expect, test } from 'vitest';
import { parseOpenings } from './config.ts';

test('openings are ranges with or without a port, of either family', () => {
  expect(parseOpenings('10.0.0.0/8, 127.0.0.1/32:8080,::1/128:9,fc00::/7')).toEqual([
    { cidr: '10.0.0.0/8', port: null },
    { cidr: '127.0.0.1/32', port: 8080 },
    { cidr: '::1/128', port: 9 },
    { cidr: 'fc00::/7', port: null },
  ]);
});

test.each(['10.0.0.0', '10.0.0.0/33', '::1/129', '10.0.0.0/8:0', '10.0.0.0/8:70000', 'example.com/8', '10.0.0.0/8;'])(
  '%s opens nothing: it is refused',
  (text) => {
    expect(() => parseOpenings(text)).toThrow(/CIDR/);
  },
);
