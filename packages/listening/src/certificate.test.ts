import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type IssuedCertificate, makeAuthority } from '@patchbay/testkit';
import { afterEach, expect, test, vi } from 'vitest';
import { Certificate } from './certificate.ts';
import { createListeningServer } from './listener.ts';

const authority = makeAuthority();
const NAMES = ['mcp.example.com', '127.0.0.1', '*.pods.example.com'];

const cleanups: (() => unknown)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()));

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'patchbay-certificate-'));
  cleanups.push(() => rmSync(path, { recursive: true }));
  return path;
}

function write({ cert, key }: IssuedCertificate, home = folder(), keyMode = 0o600) {
  const files = { certFile: join(home, 'tls.crt'), keyFile: join(home, 'tls.key') };
  writeFileSync(files.certFile, cert);
  rmSync(files.keyFile, { force: true });
  writeFileSync(files.keyFile, key, { mode: keyMode });
  return files;
}

async function listening(certificate: Certificate) {
  const log = { info: vi.fn(), error: vi.fn() };
  const listener = { address: '127.0.0.1', isLoopback: false, certificate };
  const server = createListeningServer({ listener, log }, {}, (_request, response) => response.end('over TLS'));
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  cleanups.push(() => (server.close(), server.closeAllConnections()));
  return { log, port: (server.address() as AddressInfo).port };
}

/** What a client that trusts the authority gets on a new connection: the serial number that it was shown. */
function serialAt(port: number, servername = 'mcp.example.com'): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, servername, ca: authority.cert, agent: false }, (response) => {
      const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate();
      response.resume().on('end', () => resolve(serialNumber));
    });
    sent.on('error', reject).end();
  });
}

test('is presented to clients, and covers its names and addresses and nothing else', async () => {
  const certificate = new Certificate(write(authority.issue({ names: NAMES })));
  const { port } = await listening(certificate);
  await expect(serialAt(port)).resolves.toMatch(/^[0-9A-F]+$/);
  await expect(serialAt(port, 'other.example.com')).rejects.toThrow(/altnames/);
  expect(['mcp.example.com', '127.0.0.1', 'a.pods.example.com'].map((name) => certificate.covers(name))).toEqual([true, true, true]);
  expect(['example.com', '10.0.0.1', 'a.b.pods.example.com', ''].map((name) => certificate.covers(name))).toEqual(Array(4).fill(false));
});

test('is replaced when its files are, for the next connection', async () => {
  const home = folder();
  const certificate = new Certificate(write(authority.issue({ names: NAMES }), home), { lookEveryMs: 10 });
  const { log, port } = await listening(certificate);
  const before = await serialAt(port);
  write(authority.issue({ names: ['new.example.com'] }), home);
  await vi.waitFor(() => expect(log.info).toHaveBeenCalledTimes(1));
  expect(await serialAt(port, 'new.example.com')).not.toBe(before);
  expect([certificate.covers('new.example.com'), certificate.covers('mcp.example.com')]).toEqual([true, false]);
});

test('is replaced as mounted secrets are: what a link leads to is renamed', async () => {
  const home = folder();
  write(authority.issue({ names: NAMES }), mkdir(home, 'one'));
  write(authority.issue({ names: NAMES }), mkdir(home, 'two'));
  symlinkSync('one', join(home, 'now'));
  const files = { certFile: join(home, 'now/tls.crt'), keyFile: join(home, 'now/tls.key') };
  const { log, port } = await listening(new Certificate(files, { lookEveryMs: 10 }));
  const before = await serialAt(port);
  symlinkSync('two', join(home, 'next'));
  renameSync(join(home, 'next'), join(home, 'now'));
  await vi.waitFor(() => expect(log.info).toHaveBeenCalledTimes(1));
  expect(await serialAt(port)).not.toBe(before);
});

test('stays when what replaces it is not usable, which is said once, and goes when that is mended', async () => {
  const home = folder();
  const [first, second] = [authority.issue({ names: NAMES }), authority.issue({ names: NAMES })];
  const { log, port } = await listening(new Certificate(write(first, home), { lookEveryMs: 10 }));
  const before = await serialAt(port);
  write({ cert: second.cert, key: first.key }, home);
  await vi.waitFor(() => expect(log.error).toHaveBeenCalled());
  await new Promise((done) => setTimeout(done, 60));
  expect(log.error).toHaveBeenCalledTimes(1);
  expect(await serialAt(port)).toBe(before);
  write(second, home);
  await vi.waitFor(() => expect(log.info).toHaveBeenCalledTimes(1));
  expect(await serialAt(port)).not.toBe(before);
});

const good = authority.issue({ names: NAMES });
test.each<[string, () => IssuedCertificate, RegExp]>([
  ['expired', () => authority.issue({ names: NAMES, notAfter: new Date(Date.now() - 1000) }), /^PATCHBAY_TLS_CERT_FILE .*ended on/],
  [
    'not valid yet',
    () => authority.issue({ names: NAMES, notBefore: new Date(Date.now() + 60_000) }),
    /^PATCHBAY_TLS_CERT_FILE .*begins on/,
  ],
  ['of another key', () => ({ ...good, key: authority.issue({ names: NAMES }).key }), /^PATCHBAY_TLS_KEY_FILE is not the key/],
  ['in the wrong order', () => ({ ...good, cert: authority.cert + good.cert }), /^PATCHBAY_TLS_KEY_FILE is not the key/],
  ['empty', () => ({ ...good, cert: '' }), /^PATCHBAY_TLS_CERT_FILE .*no certificate in PEM/],
  ['cut off', () => ({ ...good, cert: good.cert.replace(/.{40}(?=\n-----END)/, '') }), /^PATCHBAY_TLS_CERT_FILE .*is no certificate/],
  ['without a key', () => ({ ...good, key: good.cert }), /^PATCHBAY_TLS_KEY_FILE .*no private key/],
])('one that is %s is refused, and the refusal names variable and file and holds no key', (_what, make, says) => {
  const files = write(make());
  expect(() => new Certificate(files)).toThrow(says);
  expect(() => new Certificate(files)).not.toThrow(/BEGIN/);
});

test('a key that others may read, and files that are missing, are refused', () => {
  expect(() => new Certificate(write(good, folder(), 0o644))).toThrow(/^PATCHBAY_TLS_KEY_FILE .*set its mode to 0600/);
  const files = write(good);
  rmSync(files.keyFile);
  expect(() => new Certificate(files)).toThrow(/^PATCHBAY_TLS_KEY_FILE .*ENOENT/);
  expect(() => new Certificate({ ...files, certFile: '/nowhere' })).toThrow(/^PATCHBAY_TLS_CERT_FILE names \/nowhere/);
});

function mkdir(home: string, name: string): string {
  const path = join(home, name);
  mkdirSync(path);
  return path;
}
