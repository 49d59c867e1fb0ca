import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ENV } from '@patchbay/contracts/environment';
import { ConfigError, type Environment, fileOrDirect, readEnv, text } from '@patchbay/telemetry/config';
import { readJson } from '../private-file.ts';

/** What to connect to, and as whom. */
export type ConnectConfig = {
  readonly url: URL;
  /** The token as it is now: its file may have been replaced. */
  readonly readToken: () => string;
};

/** The command line makes no sense. */
export class UsageError extends Error {}

/** What a start on this machine left (`bootstrap.json`), as far as a client needs it. */
type Local = { readonly gatewayUrl: string; readonly mcpUrl: string; readonly org: string; readonly token: string };

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

/**
 * `patchbay connect [URL] [--server SLUG]`. Without a URL it is the platform in PATCHBAY_HOME. The token comes from a file or the environment,
 * else from that platform, and then goes to no other. Throws UsageError or ConfigError.
 */
export function readConnectConfig(args: readonly string[], env: Environment = process.env): ConnectConfig {
  const { server, url: given } = parse(args);
  const { home, token } = readEnv({ home: text(ENV.home, '.patchbay'), token: tokenVariable() }, env);
  const bootstrapFile = join(resolve(home), 'bootstrap.json');
  const local = readLocal(bootstrapFile);
  if (given === null && local === null)
    throw new UsageError(`There is no platform in ${resolve(home)}: start it with npm start, set ${ENV.home}, or name a URL.`);
  const url = given ?? new URL(local === null ? '' : server === null ? local.mcpUrl : `${local.gatewayUrl}/${local.org}/${server}/mcp`);
  if (url.protocol === 'http:' && !LOOPBACK.has(url.hostname))
    throw new UsageError(`${url.origin} is not on this machine: a token travels there over https only.`);
  if (token !== null) return { url, readToken: token };
  if (local === null || new URL(local.gatewayUrl).origin !== url.origin)
    throw new ConfigError(ENV.tokenFile, `or ${ENV.token} must be set: there is no other token for ${url.origin}`);
  return { url, readToken: () => readLocal(bootstrapFile)?.token ?? local.token };
}

function parse(args: readonly string[]): { url: URL | null; server: string | null } {
  const { positionals, values } = parsed(args);
  const [url, ...more] = positionals;
  if (more.length > 0) throw new UsageError('One URL at most.');
  if (url === undefined) return { url: null, server: values.server ?? null };
  if (values.server !== undefined) throw new UsageError('--server is for the platform on this machine: a URL names its server itself.');
  const target = URL.canParse(url) ? new URL(url) : null;
  if (target === null || !['http:', 'https:'].includes(target.protocol))
    throw new UsageError('The URL must begin with https:// or http://.');
  if (target.username !== '' || target.password !== '' || target.hash !== '')
    throw new UsageError('The URL must not carry credentials or a fragment.');
  return { url: target, server: null };
}

function parsed(args: readonly string[]): { positionals: string[]; values: { server?: string | undefined } } {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: { server: { type: 'string' } } });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'The arguments make no sense.');
  }
}

function tokenVariable(): ReturnType<typeof fileOrDirect<() => string>> {
  const usable = (token: string): string => {
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Error('it must hold one token');
    return token;
  };
  return fileOrDirect(
    { name: ENV.tokenFile, direct: ENV.token },
    {
      load: (path) => {
        const read = (): string => usable(readFileSync(path, 'utf8').trim());
        read();
        return read;
      },
      take: (said) => {
        const token = usable(said.trim());
        return () => token;
      },
    },
  );
}

/** By hand, because a schema library takes longer to load than everything else here. */
function readLocal(path: string): Local | null {
  const value = readJson(path);
  if (typeof value !== 'object' || value === null) return null;
  const { gatewayUrl, mcpUrl, org, token } = value as Record<string, unknown>;
  const isWhole = [gatewayUrl, mcpUrl, org, token].every((each) => typeof each === 'string' && each !== '');
  return isWhole ? (value as Local) : null;
}
