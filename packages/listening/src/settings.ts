import { isIP } from 'node:net';
import { ENV } from '@patchbay/contracts';
import { ConfigError, custom, type Environment, optional, readEnv, text, url, type Variable } from '@patchbay/telemetry';
import { loadSecret, type Secret } from '@patchbay/vault';
import { hostnameOf, isLoopback } from './addresses.ts';
import { Certificate, readCertificates } from './certificate.ts';
import { TrustedProxies } from './trusted-proxies.ts';

/** Where a listener is. On loopback it speaks plain HTTP to this machine alone. */
export type Listener = {
  /** What to bind to. */
  readonly address: string;
  readonly isLoopback: boolean;
  /** null: plain HTTP. */
  readonly certificate: Certificate | null;
};

/** Where people and agents come. Without a certificate and off loopback, proxies of ours speak TLS in front of it. */
export type PublicListener = Listener & { readonly proxies: TrustedProxies };

/** Where our programs and operators come. */
export type PrivateListener = Listener & {
  /** What `/metrics` asks for; null: nothing. */
  readonly metricsToken: Secret | null;
};

/** The listeners of a program that people and agents use. `name`: the variable of the URL by which they do. */
export type WantedListeners = { readonly reachedBy: { readonly name: string; readonly url: URL }; readonly privateAddress: string };

/**
 * Where a program with both kinds listens. Throws a ConfigError where somebody else's machine could come without TLS, or with a
 * certificate that does not hold: it names the variable and what to do.
 */
export function readListeners(
  env: Environment,
  { privateAddress, reachedBy }: WantedListeners,
): { readonly public: PublicListener; readonly private: PrivateListener } {
  const certificate = readCertificate(env);
  const listeners = {
    public: publicListener(env, certificate, reachedBy),
    private: privateListener(env, certificate, privateAddress),
  };
  refuseIdle(certificate, [listeners.public, listeners.private], `${ENV.listen} or ${privateAddress}`);
  return listeners;
}

/** The same for a program that only our programs and operators come to. */
export function readPrivateListener(env: Environment, privateAddress: string): PrivateListener {
  const certificate = readCertificate(env);
  const listener = privateListener(env, certificate, privateAddress);
  refuseIdle(certificate, [listener], privateAddress);
  return listener;
}

/** Programs of ours that serve alike, by their URLs: off loopback over TLS alone. */
export function internalUrls(name: string): Variable<readonly URL[]> {
  const one = url(name);
  return custom(name, (value) => {
    const all = value.split(',').map((each) => one.read(each.trim()));
    if (new Set(all.map(({ href }) => href)).size < all.length) throw new ConfigError(name, 'must not name the same URL twice');
    for (const { host, hostname, protocol } of all)
      if (protocol !== 'https:' && hostname !== 'localhost' && !isLoopback(hostnameOf(host)))
        throw new ConfigError(
          name,
          `must name ${host} by an https URL: what our programs tell each other leaves this machine over TLS alone`,
        );
    return all;
  });
}

/** The authorities (PEM) by which programs of ours at these URLs are known; null where none of them speaks TLS. */
export function readInternalCa(env: Environment, urls: readonly URL[]): string | null {
  const first = urls.find(({ protocol }) => protocol === 'https:');
  const { path } = readEnv({ path: optional(text(ENV.internalCaFile)) }, env);
  if (path !== null) return readCertificates(ENV.internalCaFile, path).pem;
  if (first === undefined) return null;
  throw new ConfigError(ENV.internalCaFile, `must name the certificates (PEM) of the authority by which ${first.origin} is known`);
}

function readCertificate(env: Environment): Certificate | null {
  const { certFile, keyFile } = readEnv({ certFile: optional(text(ENV.tlsCertFile)), keyFile: optional(text(ENV.tlsKeyFile)) }, env);
  if (certFile === null && keyFile === null) return null;
  if (certFile === null) throw new ConfigError(ENV.tlsCertFile, `must be set too: ${ENV.tlsKeyFile} is`);
  if (keyFile === null) throw new ConfigError(ENV.tlsKeyFile, `must be set too: ${ENV.tlsCertFile} is`);
  return new Certificate({ certFile, keyFile });
}

function address(name: string): Variable<string> {
  const parse = (value: string): string => {
    if (isIP(value) === 0) throw new ConfigError(name, 'must be an IP address of this machine, or 0.0.0.0 or :: for all of them');
    return value;
  };
  return custom(name, parse, '127.0.0.1');
}

function publicListener(env: Environment, certificate: Certificate | null, reachedBy: WantedListeners['reachedBy']): PublicListener {
  const settings = readEnv(
    { address: address(ENV.listen), proxies: custom(ENV.trustedProxies, (value) => new TrustedProxies(value), new TrustedProxies('')) },
    env,
  );
  if (isLoopback(settings.address)) return { ...settings, isLoopback: true, certificate: null };
  const { host, protocol } = reachedBy.url;
  const is = `is ${settings.address}, so `;
  if (protocol !== 'https:')
    throw new ConfigError(ENV.listen, `${is}who comes has to come over TLS: set ${reachedBy.name} to the https URL`);
  if (certificate === null && settings.proxies.isEmpty)
    throw new ConfigError(
      ENV.listen,
      `${is}it needs TLS: set ${ENV.tlsCertFile} and ${ENV.tlsKeyFile}, or ${ENV.trustedProxies} to the proxies that speak TLS in front of it`,
    );
  if (settings.proxies.isEmpty && certificate?.covers(hostnameOf(host)) === false)
    throw new ConfigError(ENV.tlsCertFile, `holds a certificate for ${certificate.names}, and not for ${host} of ${reachedBy.name}`);
  return { ...settings, isLoopback: false, certificate };
}

function privateListener(env: Environment, certificate: Certificate | null, name: string): PrivateListener {
  const settings = readEnv({ address: address(name), metricsToken: optional(custom(ENV.metricsTokenFile, loadSecret)) }, env);
  if (isLoopback(settings.address)) return { ...settings, isLoopback: true, certificate: null };
  const is = `is ${settings.address}, so `;
  if (certificate === null) throw new ConfigError(name, `${is}it needs TLS: set ${ENV.tlsCertFile} and ${ENV.tlsKeyFile}`);
  if (settings.metricsToken === null)
    throw new ConfigError(name, `${is}/metrics is not for everybody: set ${ENV.metricsTokenFile} to a file with the token to ask for`);
  return { ...settings, isLoopback: false, certificate };
}

/** Who sets a certificate believes that something speaks TLS. */
function refuseIdle(certificate: Certificate | null, listeners: readonly Listener[], names: string): void {
  if (certificate !== null && listeners.every(({ isLoopback: onLoopback }) => onLoopback))
    throw new ConfigError(ENV.tlsCertFile, `is set, and everything listens on loopback, without TLS: set ${names}, or leave it out`);
}
