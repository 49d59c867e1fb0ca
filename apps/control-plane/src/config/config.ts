import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { ENV, type EgressOpening } from '@patchbay/contracts';
import { internalUrls, type PrivateListener, type PublicListener, readInternalCa, readListeners } from '@patchbay/listening';
import { checkPostgresUrl, parseRedisUrl } from '@patchbay/ports';
import {
  custom,
  integer,
  oneOf,
  optional,
  port,
  readEnv,
  required,
  text,
  url,
  type Environment,
  type LogLevel,
  type Variable,
  parseHostPorts,
} from '@patchbay/telemetry';
import { loadKeyring, loadSecret, loadSigningKey, secretUrl, type Keyring, type Secret } from '@patchbay/vault';

/** off: no stdio server runs. templates: only operators say what one runs. any: every admin does. */
export type StdioPolicy = 'off' | 'templates' | 'any';

/** All that the control plane is told from outside. Read once, frozen. */
export abstract class Config {
  abstract readonly home: string;
  abstract readonly logLevel: LogLevel;
  abstract readonly apiPort: number;
  abstract readonly internalPort: number;
  /** Where people come, and where our programs and operators do. */
  abstract readonly listeners: { readonly public: PublicListener; readonly private: PrivateListener };
  /** How long it is not ready but answers as before once it was told to stop. */
  abstract readonly drainAnnounceMs: number;
  abstract readonly apiUrl: URL;
  abstract readonly gatewayUrl: URL;
  abstract readonly databaseUrl: Secret;
  /** Where the stores and the jobs are; null: in Postgres too. */
  abstract readonly redisUrl: Secret | null;
  abstract readonly masterKey: Keyring;
  abstract readonly snapshotSigningKey: KeyObject;
  abstract readonly tokenTagKey: Keyring;
  abstract readonly gatewaySecret: Secret;
  abstract readonly stdioHostSecret: Secret;
  abstract readonly stdioHostUrls: readonly URL[];
  /** By whom stdio hosts are known over TLS; null: none is reached over it. */
  abstract readonly internalCa: string | null;
  /** Where spans go; null: there are none. */
  abstract readonly otlpEndpoint: URL | null;
  abstract readonly toStdioHostSecret: Secret;
  /** null: `any` while there is one organisation, `templates` from the second on. */
  abstract readonly stdio: StdioPolicy | null;
  /** Opened by the operator for every organisation. */
  abstract readonly egressAllow: readonly EgressOpening[];
  abstract readonly refusedAddresses: readonly { readonly host: string; readonly port: number }[];
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** The settings of the server program. Throws a ConfigError that names the variable. */
export function readConfig(env: Environment = process.env): Config {
  const apiPort = readEnv({ apiPort: port(ENV.apiPort, 8470) }, env).apiPort;
  const settings = readEnv(
    {
      home: text(ENV.home, '.patchbay'),
      logLevel: oneOf<LogLevel>(ENV.logLevel, LEVELS, 'info'),
      internalPort: port(ENV.internalPort),
      drainAnnounceMs: integer(ENV.drainAnnounceMs, { min: 0, max: 600_000 }, 5_000),
      apiUrl: url(ENV.apiUrl, `http://127.0.0.1:${apiPort}`),
      gatewayUrl: url(ENV.gatewayUrl, 'http://127.0.0.1:8471'),
      databaseUrl: postgresUrl(ENV.databaseUrlFile, ENV.databaseUrl),
      redisUrl: secretUrl({ name: ENV.redisUrlFile, direct: ENV.redisUrl, check: parseRedisUrl }),
      masterKey: custom(ENV.masterKeyFile, loadKeyring),
      snapshotSigningKey: custom(ENV.snapshotSigningKeyFile, loadSigningKey),
      tokenTagKey: custom(ENV.tokenTagKeyFile, loadKeyring),
      gatewaySecret: custom(ENV.gatewaySecretFile, loadSecret),
      stdioHostSecret: custom(ENV.stdioHostSecretFile, loadSecret),
      stdioHostUrls: internalUrls(ENV.stdioHostUrl),
      otlpEndpoint: optional(url('OTEL_EXPORTER_OTLP_ENDPOINT')),
      toStdioHostSecret: custom(ENV.toStdioHostSecretFile, loadSecret),
      stdio: optional(oneOf(ENV.stdio, ['off', 'templates', 'any'])),
      egressAllow: custom(ENV.egressAllow, parseOpenings, []),
      refusedAddresses: custom(ENV.refusedAddresses, parseHostPorts, []),
    },
    env,
  );
  const reachedBy = { name: ENV.apiUrl, url: settings.apiUrl };
  return Object.freeze({
    ...settings,
    apiPort,
    listeners: readListeners(env, { reachedBy, privateAddress: ENV.internalListen }),
    internalCa: readInternalCa(env, settings.stdioHostUrls),
  });
}

/** What the migrate program needs: the owner's database and the roles' URLs stay apart. */
export function readOwnerDatabaseUrl(env: Environment = process.env): Secret {
  return readEnv({ owner: postgresUrl(ENV.ownerDatabaseUrlFile, ENV.ownerDatabaseUrl) }, env).owner;
}

/** Entries of the example servers' packages, handed in by whoever wants them made; null where nobody does. */
export function readExamples(env: Environment = process.env): { everything: string; memory: string } | null {
  const { everything, memory } = readEnv(
    { everything: optional(text(ENV.exampleEverything)), memory: optional(text(ENV.exampleMemory)) },
    env,
  );
  return everything === null || memory === null ? null : { everything, memory };
}

/** Milliseconds between two scheduled discoveries of a server, for installations that want another pace. */
export function readDiscoveryEveryMs(env: Environment = process.env): number {
  return readEnv({ everyMs: integer(ENV.discoveryEveryMs, { min: 1_000, max: 86_400_000 }, 600_000) }, env).everyMs;
}

function postgresUrl(name: string, direct: string): Variable<Secret> {
  return required(secretUrl({ name, direct, check: checkPostgresUrl }), `or ${direct} must be set`);
}

/** `cidr` or `cidr:port`, comma-separated; IPv6 as `::1/128:8080`. */
export function parseOpenings(value: string): EgressOpening[] {
  return list(value).map((item) => {
    const [, address = '', bits = '', openPort] = /^([0-9a-fA-F.:]+)\/(\d{1,3})(?::(\d{1,5}))?$/.exec(item) ?? [];
    const family = isIP(address);
    const valid = family !== 0 && Number(bits) <= (family === 4 ? 32 : 128) && (openPort === undefined || isPort(Number(openPort)));
    if (!valid) throw new Error(`must list CIDR ranges such as 10.0.0.0/8 or 127.0.0.1/32:8080; ${item} is none`);
    return { cidr: `${address}/${bits}`, port: openPort === undefined ? null : Number(openPort) };
  });
}

const list = (value: string): string[] =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

const isPort = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 65_535;
