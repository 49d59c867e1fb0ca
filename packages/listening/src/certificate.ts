import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Server } from 'node:https';
import { isIP } from 'node:net';
// oxlint-disable-next-line house/no-dial -- it dials nothing: what TLS would not take is found before anything listens
import { createSecureContext } from 'node:tls';
import { ENV } from '@patchbay/contracts';
import { ConfigError } from '@patchbay/telemetry';
import { readPrivateFile } from '@patchbay/vault';

export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

export type CertificateLog = { info(fields: object, message: string): void; error(fields: object, message: string): void };

/** What TLS presents; both in PEM. */
type Pair = { readonly cert: string; readonly key: string; readonly leaf: X509Certificate };

const LOOK_EVERY_MS = 5_000;
/** Who opens a connection and says nothing is let go of after this. */
const HANDSHAKE_WITHIN_MS = 10_000;
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The certificate of this program's listeners. It was valid and belonged to its key when it was read; when its files change, listeners
 * present the new one from their next connection on, unless it is not usable: then the old one stays, and that is logged.
 */
export class Certificate {
  readonly #files: CertificateFiles;
  readonly #lookEveryMs: number;
  readonly #servers = new Map<Server, CertificateLog>();
  #pair: Pair;
  #state: string;
  #refused = '';
  #looking: NodeJS.Timeout | undefined;

  /** Throws a ConfigError that names variable and file. */
  constructor(files: CertificateFiles, { lookEveryMs = LOOK_EVERY_MS } = {}) {
    this.#files = files;
    this.#lookEveryMs = lookEveryMs;
    this.#state = stateOf(files);
    this.#pair = readPair(files);
  }

  /** For a server that is made now; `presentOn` keeps it in step. */
  get tlsOptions(): { readonly cert: string; readonly key: string; readonly handshakeTimeout: number } {
    return { cert: this.#pair.cert, key: this.#pair.key, handshakeTimeout: HANDSHAKE_WITHIN_MS };
  }

  /** For people: the names that it is for. */
  get names(): string {
    return this.#pair.leaf.subjectAltName ?? 'no name at all';
  }

  /** Whether a client that asks for this name or address gets what it asks for. */
  covers(hostname: string): boolean {
    const { leaf } = this.#pair;
    if (isIP(hostname) !== 0) return leaf.checkIP(hostname) !== undefined;
    return hostname !== '' && leaf.checkHost(hostname, { subject: 'never' }) !== undefined;
  }

  /** Keeps what this server presents in step with the files, until it is closed. */
  presentOn(server: Server, log: CertificateLog): void {
    this.#servers.set(server, log);
    this.#looking ??= setInterval(() => this.#look(), this.#lookEveryMs).unref();
    server.once('close', () => {
      this.#servers.delete(server);
      if (this.#servers.size > 0) return;
      clearInterval(this.#looking);
      this.#looking = undefined;
    });
  }

  #look(): void {
    const state = stateOf(this.#files);
    if (state === this.#state) return;
    try {
      this.#pair = readPair(this.#files);
    } catch (error) {
      // Two files are seldom replaced at one moment: it is read again at the next look.
      return this.#refuse(error instanceof Error ? error.message : 'unknown reason');
    }
    this.#state = state;
    this.#refused = '';
    for (const [server, log] of this.#servers) {
      server.setSecureContext({ cert: this.#pair.cert, key: this.#pair.key });
      log.info({ names: this.names, notAfter: this.#pair.leaf.validTo }, 'the certificate was replaced');
    }
  }

  #refuse(why: string): void {
    if (why === this.#refused) return;
    this.#refused = why;
    for (const log of this.#servers.values()) log.error({ why }, 'the new certificate is not usable: the old one stays');
  }
}

/** Differs when one of the files is another. Mounted secrets are replaced by renaming what a link leads to. */
function stateOf({ certFile, keyFile }: CertificateFiles): string {
  return [certFile, keyFile]
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? 'missing' : `${stat.dev}:${stat.ino}:${stat.mtimeMs}:${stat.size}`;
    })
    .join(' ');
}

function readPair({ certFile, keyFile }: CertificateFiles): Pair {
  const cert = readCertificates(ENV.tlsCertFile, certFile);
  const key = saying(ENV.tlsKeyFile, () => readPrivateFile(keyFile));
  const privateKey = saying(ENV.tlsKeyFile, () => createPrivateKey(key), `${keyFile} holds no private key in PEM without a passphrase`);
  const [leaf] = cert.chain;
  if (!leaf.checkPrivateKey(privateKey))
    throw new ConfigError(ENV.tlsKeyFile, `is not the key of the first certificate in ${certFile}, which has to be the server's own`);
  saying(ENV.tlsCertFile, () => createSecureContext({ cert: cert.pem, key }));
  return { cert: cert.pem, key, leaf };
}

/** The certificates of a file, each of them valid now. Throws a ConfigError that names variable and file. */
export function readCertificates(variable: string, path: string): { pem: string; chain: [X509Certificate, ...X509Certificate[]] } {
  const pem = saying(variable, () => readFileSync(path, 'utf8'), `names ${path}, which cannot be read`);
  const [first, ...others] = saying(
    variable,
    () => (pem.match(PEM) ?? []).map((each) => new X509Certificate(each)),
    `names ${path}, which holds something that is no certificate`,
  );
  if (first === undefined) throw new ConfigError(variable, `names ${path}, which holds no certificate in PEM`);
  const now = Date.now();
  for (const { subject, validFromDate, validToDate } of [first, ...others]) {
    const who = `names ${path}, whose certificate of ${subject.replaceAll('\n', ', ')}`;
    if (validToDate.getTime() <= now) throw new ConfigError(variable, `${who} ended on ${validToDate.toISOString()}: renew it`);
    if (validFromDate.getTime() > now)
      throw new ConfigError(variable, `${who} begins on ${validFromDate.toISOString()}: look at this machine's clock, or wait`);
  }
  return { pem, chain: [first, ...others] };
}

function saying<T>(variable: string, read: () => T, problem?: string): T {
  try {
    return read();
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown reason';
    throw new ConfigError(variable, problem ?? `is not usable: ${why}`, error);
  }
}
