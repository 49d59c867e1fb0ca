import { join } from 'node:path';
import type { KeyObject } from 'node:crypto';
import { ENV, GATEWAY_WORKERS_MAX } from '@patchbay/contracts';
import { internalUrls, type PrivateListener, type PublicListener, readInternalCa, readListeners } from '@patchbay/listening';
import { checkPostgresUrl, parseRedisUrl } from '@patchbay/ports';
import {
  ConfigError,
  custom,
  type Environment,
  integer,
  type LogLevel,
  oneOf,
  optional,
  port,
  readEnv,
  text,
  url,
  parseHostPorts,
} from '@patchbay/telemetry';
import { type Keyring, loadKeyring, loadPublicKeys, loadSecret, type Secret, secretUrl } from '@patchbay/vault';

const MEBIBYTE = 1024 * 1024;
/** What closing takes at most after the last call has ended. */
const CLOSE_MS = 3_000;

/** The gateway's settings. Refuses to start on a bad value, naming the variable. */
export type Config = {
  /** This gateway's own folder: last good state, sealed token cache. */
  readonly folder: string;
  readonly gatewayPort: number;
  readonly adminPort: number;
  /** Where clients come, and where operators do. */
  readonly listeners: { readonly public: PublicListener; readonly private: PrivateListener };
  readonly logLevel: LogLevel;
  readonly bodyLimitBytes: number;
  readonly stalenessBudgetMs: number;
  /** How long calls in flight may take to end once a stop was asked for. */
  readonly drainMs: number;
  /** How long it is not ready but takes calls before that, for whoever balances to see it. */
  readonly drainAnnounceMs: number;
  /** Where the stores are: Redis, else tables of Postgres. One of the two is set. */
  readonly redisUrl: Secret | null;
  readonly portsDatabaseUrl: Secret | null;
  /** One, or two while a key is being replaced. */
  readonly snapshotPublicKeys: readonly KeyObject[];
  readonly sessionSealingKeys: Keyring;
  readonly tokenTagKeys: Keyring;
  /** How clients reach us: beside loopback, the one name that we answer to. */
  readonly gatewayUrl: URL;
  /** Control planes, any of which will do. */
  readonly controlPlaneInternalUrls: readonly URL[];
  /** By whom control planes and stdio hosts are known over TLS; null: none is reached over it. */
  readonly internalCa: string | null;
  readonly gatewaySecret: Secret;
  /** In any order, but written alike on every gateway: a host's id follows from its URL. */
  readonly stdioHostUrls: readonly URL[];
  readonly toStdioHostSecret: Secret;
  readonly refusedAddresses: readonly { readonly host: string; readonly port: number }[];
  readonly tracing: boolean;
};

const PLACE = { home: text(ENV.home), gatewayPort: port(ENV.gatewayPort, 8471), adminPort: port(ENV.adminPort, 8472) };

const DRAIN = {
  drainMs: integer(ENV.drainMs, { min: 0, max: 3_600_000 }, 25_000),
  drainAnnounceMs: integer(ENV.drainAnnounceMs, { min: 0, max: 600_000 }, 5_000),
};

/** Of processes that share a port. */
export type WorkersConfig = {
  readonly gatewayPort: number;
  /** What sets each apart: a folder and an admin port of its own, as any two gateways have. The first is where a single one would be. */
  readonly environments: readonly Readonly<Record<string, string>>[];
  readonly stopDeadlineMs: number;
};

/** null: one gateway serves by itself. Reads nothing else, so that workers find all of it. */
export function loadWorkersConfig(env: Environment = process.env): WorkersConfig | null {
  const { workers } = readEnv({ workers: integer(ENV.gatewayWorkers, { min: 1, max: GATEWAY_WORKERS_MAX }, 1) }, env);
  if (workers === 1) return null;
  const { adminPort, gatewayPort, home, ...drain } = readEnv({ ...PLACE, ...DRAIN }, env);
  const environments = Array.from({ length: workers }, (_, index) => ({
    [ENV.home]: index === 0 ? home : join(home, `worker-${index + 1}`),
    [ENV.adminPort]: String(adminPort + index),
  }));
  return { gatewayPort, environments, stopDeadlineMs: stopDeadlineOf(drain) };
}

/** How long a gateway may take to end in order. */
export function stopDeadlineOf({ drainAnnounceMs, drainMs }: Pick<Config, 'drainAnnounceMs' | 'drainMs'>): number {
  return drainAnnounceMs + drainMs + CLOSE_MS;
}

/** Reads the environment of a gateway that serves, once. */
export function loadConfig(env: Environment = process.env): Config {
  const { home, otlpEndpoint, ...settings } = readEnv(
    {
      ...PLACE,
      logLevel: oneOf<LogLevel>(ENV.logLevel, ['debug', 'info', 'warn', 'error'], 'info'),
      bodyLimitBytes: integer(ENV.bodyLimitBytes, { min: 1024, max: 1024 * MEBIBYTE }, 16 * MEBIBYTE),
      stalenessBudgetMs: integer(ENV.stalenessBudgetMs, { min: 10_000, max: 24 * 3_600_000 }, 300_000),
      ...DRAIN,
      redisUrl: secretUrl({ name: ENV.redisUrlFile, direct: ENV.redisUrl, check: parseRedisUrl }),
      portsDatabaseUrl: secretUrl({ name: ENV.portsDatabaseUrlFile, direct: ENV.portsDatabaseUrl, check: checkPostgresUrl }),
      snapshotPublicKeys: custom(ENV.snapshotPublicKeyFile, loadPublicKeys),
      sessionSealingKeys: custom(ENV.sessionSealingKeyFile, loadKeyring),
      tokenTagKeys: custom(ENV.tokenTagKeyFile, loadKeyring),
      gatewayUrl: optional(url(ENV.gatewayUrl)),
      controlPlaneInternalUrls: internalUrls(ENV.controlPlaneInternalUrl),
      gatewaySecret: custom(ENV.gatewaySecretFile, loadSecret),
      stdioHostUrls: internalUrls(ENV.stdioHostUrl),
      toStdioHostSecret: custom(ENV.toStdioHostSecretFile, loadSecret),
      refusedAddresses: custom(ENV.refusedAddresses, parseHostPorts, []),
      otlpEndpoint: optional(url('OTEL_EXPORTER_OTLP_ENDPOINT')),
    },
    env,
  );
  if (settings.redisUrl === null && settings.portsDatabaseUrl === null)
    throw new ConfigError(ENV.redisUrlFile, `or ${ENV.portsDatabaseUrlFile} must be set: a gateway reads its configuration there`);
  const gatewayUrl = settings.gatewayUrl ?? new URL(`http://127.0.0.1:${settings.gatewayPort}`);
  return {
    ...settings,
    gatewayUrl,
    listeners: readListeners(env, { reachedBy: { name: ENV.gatewayUrl, url: gatewayUrl }, privateAddress: ENV.adminListen }),
    internalCa: readInternalCa(env, [...settings.controlPlaneInternalUrls, ...settings.stdioHostUrls]),
    folder: join(home, 'gateway'),
    tracing: otlpEndpoint !== null,
  };
}
