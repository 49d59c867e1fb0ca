import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnv } from '@patchbay/telemetry';
import { makeAuthority } from '@patchbay/testkit';
import { afterAll, expect, test } from 'vitest';
import { makeHostCheck } from './listener.ts';
import { internalUrls, readInternalCa, readListeners, readPrivateListener } from './settings.ts';

const home = mkdtempSync(join(tmpdir(), 'patchbay-listening-'));
afterAll(() => rmSync(home, { recursive: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(home, name), text, { mode: 0o600 });
  return join(home, name);
};

const authority = makeAuthority();
const issued = authority.issue({ names: ['mcp.example.com', 'gateway.internal'] });
const TLS = { PATCHBAY_TLS_CERT_FILE: file('tls.crt', issued.cert), PATCHBAY_TLS_KEY_FILE: file('tls.key', issued.key) };
const TOKEN = { PATCHBAY_METRICS_TOKEN_FILE: file('metrics.token', 'let-me-scrape\n') };
const PROXIES = { PATCHBAY_TRUSTED_PROXIES: '10.0.0.0/8' };

const listeners = (env: Record<string, string>, url = 'https://mcp.example.com') =>
  readListeners(env, { reachedBy: { name: 'PATCHBAY_GATEWAY_URL', url: new URL(url) }, privateAddress: 'PATCHBAY_ADMIN_LISTEN' });

test('without settings everything is on loopback and plain', () => {
  for (const url of ['http://127.0.0.1:8471', 'https://mcp.example.com']) {
    const { private: admin, public: calls } = listeners({}, url);
    expect(calls).toMatchObject({ address: '127.0.0.1', isLoopback: true, certificate: null });
    expect(admin).toMatchObject({ address: '127.0.0.1', isLoopback: true, certificate: null, metricsToken: null });
  }
});

test('another loopback address needs no TLS either', () => {
  expect(listeners({ PATCHBAY_LISTEN: '127.0.0.5', PATCHBAY_ADMIN_LISTEN: '::1' })).toMatchObject({
    public: { isLoopback: true },
    private: { isLoopback: true },
  });
});

test('off loopback with a certificate, or behind proxies that speak TLS', () => {
  expect(listeners({ PATCHBAY_LISTEN: '0.0.0.0', ...TLS }).public.certificate?.covers('mcp.example.com')).toBe(true);
  expect(listeners({ PATCHBAY_LISTEN: '::', ...PROXIES }).public).toMatchObject({ isLoopback: false, certificate: null });
  // Behind proxies the certificate is for the last part of the way.
  expect(listeners({ PATCHBAY_LISTEN: '::', ...PROXIES, ...TLS }, 'https://elsewhere.example').public.certificate).not.toBeNull();
  expect(listeners({ PATCHBAY_ADMIN_LISTEN: '0.0.0.0', ...TLS, ...TOKEN }).private.metricsToken?.reveal()).toBe('let-me-scrape');
});

test.each<[string, Record<string, string>, RegExp, string?]>([
  ['an address that is none', { PATCHBAY_LISTEN: 'all' }, /^PATCHBAY_LISTEN must be an IP address/],
  [
    'no TLS',
    { PATCHBAY_LISTEN: '0.0.0.0' },
    /^PATCHBAY_LISTEN is 0\.0\.0\.0, so it needs TLS: .*PATCHBAY_TLS_CERT_FILE.*PATCHBAY_TRUSTED_PROXIES/,
  ],
  ['a plain URL', { PATCHBAY_LISTEN: '::', ...TLS }, /^PATCHBAY_LISTEN .*PATCHBAY_GATEWAY_URL to the https URL/, 'http://mcp.example.com'],
  ['a plain URL behind proxies', { PATCHBAY_LISTEN: '::', ...PROXIES }, /PATCHBAY_GATEWAY_URL to the https URL/, 'http://mcp.example.com'],
  [
    'a certificate for others',
    { PATCHBAY_LISTEN: '::', ...TLS },
    /^PATCHBAY_TLS_CERT_FILE .*not for other\.example/,
    'https://other.example',
  ],
  ['half a certificate', { PATCHBAY_TLS_CERT_FILE: TLS.PATCHBAY_TLS_CERT_FILE }, /^PATCHBAY_TLS_KEY_FILE must be set too/],
  ['the other half', { PATCHBAY_TLS_KEY_FILE: TLS.PATCHBAY_TLS_KEY_FILE }, /^PATCHBAY_TLS_CERT_FILE must be set too/],
  ['a certificate that nothing presents', TLS, /^PATCHBAY_TLS_CERT_FILE is set, and everything listens on loopback/],
  ['a proxy that is none', { ...PROXIES, PATCHBAY_TRUSTED_PROXIES: 'proxy' }, /^PATCHBAY_TRUSTED_PROXIES .*CIDR/],
  ['an admin listener without TLS', { PATCHBAY_ADMIN_LISTEN: '0.0.0.0', ...PROXIES, ...TOKEN }, /^PATCHBAY_ADMIN_LISTEN .*needs TLS/],
  ['metrics for everybody', { PATCHBAY_ADMIN_LISTEN: '0.0.0.0', ...TLS }, /^PATCHBAY_ADMIN_LISTEN .*PATCHBAY_METRICS_TOKEN_FILE/],
])('%s is refused, naming the variable', (_what, env, says, url) => {
  expect(() => listeners(env, url)).toThrow(says);
});

test('a program without a public listener is held to the same', () => {
  const read = (env: Record<string, string>) => readPrivateListener(env, 'PATCHBAY_INTERNAL_LISTEN');
  expect(read({})).toMatchObject({ address: '127.0.0.1', certificate: null });
  expect(read({ PATCHBAY_INTERNAL_LISTEN: '0.0.0.0', ...TLS, ...TOKEN }).certificate).not.toBeNull();
  expect(() => read({ PATCHBAY_INTERNAL_LISTEN: '0.0.0.0' })).toThrow(/^PATCHBAY_INTERNAL_LISTEN .*needs TLS/);
  expect(() => read(TLS)).toThrow(/set PATCHBAY_INTERNAL_LISTEN, or leave it out/);
});

test('a listener answers to its names, its certificate’s, and the address that was dialled', () => {
  const known = (host: string): boolean => host === 'mcp.example.com';
  const calls = makeHostCheck(listeners({ PATCHBAY_LISTEN: '0.0.0.0', ...TLS }).public, known);
  const answered = ['mcp.example.com', 'MCP.example.com', 'gateway.internal:8443', '192.0.2.7:8443', '[2001:db8::1]:8443'];
  expect(answered.map((host) => calls(host, host.startsWith('[') ? '2001:db8::1' : '::ffff:192.0.2.7'))).toEqual(Array(5).fill(true));
  const refused = ['evil.example', '192.0.2.8', 'gateway.internal.evil.example', '', undefined];
  expect(refused.map((host) => calls(host, '192.0.2.7'))).toEqual(Array(5).fill(false));
  // On loopback nothing but what it is known by.
  const local = makeHostCheck(listeners({}).public, known);
  expect(['mcp.example.com', '127.0.0.1', 'gateway.internal'].map((host) => local(host, '127.0.0.1'))).toEqual([true, false, false]);
});

test('programs of ours are reached over TLS, unless they are on this machine', () => {
  const read = (value: string) => readEnv({ urls: internalUrls('PATCHBAY_STDIO_HOST_URL') }, { PATCHBAY_STDIO_HOST_URL: value }).urls;
  expect(read('http://127.0.0.1:1, http://localhost:2,http://[::1]:3,https://host:4')).toHaveLength(4);
  for (const plain of ['http://10.0.0.1:1', 'https://host:4,http://host:5', 'http://[2001:db8::1]:1', 'http://127.0.0.1.evil.example'])
    expect(() => read(plain)).toThrow(/^PATCHBAY_STDIO_HOST_URL must name .* by an https URL/);
  expect(() => read('https://host:4,https://host:4')).toThrow(/same URL twice/);
  for (const none of ['', ',', 'https://a,', 'https://a,ftp://b', 'host:4', 'https://u:hunter2@b'])
    expect(() => read(none)).toThrow(/^PATCHBAY_STDIO_HOST_URL must be/);
});

test('whoever is reached over TLS is known by an authority that is named', () => {
  const [plain, tls] = [new URL('http://127.0.0.1:1'), new URL('https://host:4')];
  const PATCHBAY_INTERNAL_CA_FILE = file('ca.crt', authority.cert);
  expect(readInternalCa({}, [plain])).toBeNull();
  expect(readInternalCa({ PATCHBAY_INTERNAL_CA_FILE }, [plain, tls])).toBe(authority.cert);
  expect(() => readInternalCa({}, [plain, tls])).toThrow(/^PATCHBAY_INTERNAL_CA_FILE .*https:\/\/host:4/);
  const old = authority.issue({ names: ['x'], notAfter: new Date(0) }).cert;
  expect(() => readInternalCa({ PATCHBAY_INTERNAL_CA_FILE: file('old.crt', old) }, [tls])).toThrow(/ended on 1970/);
  expect(() => readInternalCa({ PATCHBAY_INTERNAL_CA_FILE: file('none.crt', 'x') }, [tls])).toThrow(/no certificate in PEM/);
});
