import { expect, test } from 'vitest';
import { TrustedProxies } from './trusted-proxies.ts';

const proxies = new TrustedProxies('10.0.0.0/8, 127.0.0.1/32,fd00::/8');
const from = (remoteAddress: string, headers: Record<string, string> = {}, encrypted = false) => ({
  headers: { host: 'own:1', ...headers },
  socket: { remoteAddress, encrypted },
});

const FORWARDED = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': 'mcp.example.com', 'x-forwarded-proto': 'https' };

test('what a listed proxy forwards is believed, whatever the family it comes in', () => {
  for (const peer of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00::7']) {
    const request = from(peer, FORWARDED);
    expect([proxies.clientAddress(request), proxies.host(request), proxies.isSecure(request)]).toEqual([
      '203.0.113.9',
      'mcp.example.com',
      true,
    ]);
  }
});

test('the same from anybody else is not looked at', () => {
  for (const peer of ['11.0.0.1', '::ffff:11.0.0.1', 'fe80::1', '']) {
    const request = from(peer, FORWARDED);
    expect(proxies.clientAddress(request)).toBe(peer.replace('::ffff:', ''));
    expect([proxies.host(request), proxies.isSecure(request)]).toEqual(['own:1', false]);
  }
  const nobody = new TrustedProxies('');
  expect([nobody.isEmpty, nobody.clientAddress(from('10.1.2.3', FORWARDED)), nobody.host(from('10.1.2.3', FORWARDED))]).toEqual([
    true,
    '10.1.2.3',
    'own:1',
  ]);
});

test.each([
  ['1.1.1.1, 203.0.113.9', '203.0.113.9'],
  ['203.0.113.9, 10.9.9.9', '203.0.113.9'],
  ['10.7.7.7, 10.9.9.9', '10.7.7.7'],
  ['nonsense, 10.9.9.9', '10.9.9.9'],
  ['1.1.1.1, nonsense', '10.1.2.3'],
  ['203.0.113.9:4711', '203.0.113.9'],
  ['[2001:db8::7]:4711', '2001:db8::7'],
  ['2001:db8::7', '2001:db8::7'],
  ['', '10.1.2.3'],
])('of a way such as %s the client is the last address that is no proxy: what it says before that is its own word', (way, client) => {
  expect(proxies.clientAddress(from('10.1.2.3', { 'x-forwarded-for': way }))).toBe(client);
});

test('the scheme is the proxy’s word, else the connection’s; a plain one from another machine is none', () => {
  expect(proxies.isSecure(from('10.1.2.3', { 'x-forwarded-proto': 'http' }, true))).toBe(false);
  expect(proxies.isSecure(from('127.0.0.1', { 'x-forwarded-proto': 'http' }))).toBe(false);
  expect(proxies.isSecure(from('10.1.2.3'))).toBe(false);
  expect(proxies.isSecure(from('192.0.2.1', { 'x-forwarded-proto': 'http' }, true))).toBe(true);
  expect(proxies.isSecure(from('127.0.0.1'))).toBe(true);
});

test.each(['10.0.0.0', '10.0.0.0/33', '::/129', 'proxy.example.com/8', '10.0.0.0/8;'])('%s lists nobody: it is refused', (text) => {
  expect(() => new TrustedProxies(text)).toThrow(/CIDR/);
});

test.each(['0.0.0.0/0', '10.0.0.0/8,::/0'])('%s would trust everybody: it is refused', (text) => {
  expect(() => new TrustedProxies(text)).toThrow(/everybody/);
});
