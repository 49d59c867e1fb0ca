import { expect, test } from 'vitest';
import { parseHostPorts } from './host-ports.ts';

test('hosts and ports are listed with commas, IPv6 in brackets', () => {
  expect(parseHostPorts('127.0.0.1:80,[::1]:81, localhost:82')).toEqual([
    { host: '127.0.0.1', port: 80 },
    { host: '::1', port: 81 },
    { host: 'localhost', port: 82 },
  ]);
  for (const text of ['127.0.0.1', '::1:80', 'x:0', 'x:65536']) expect(() => parseHostPorts(text), text).toThrow(/host:port/);
});
