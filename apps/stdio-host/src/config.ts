import { ENV } from '@patchbay/contracts';
import { custom, integer, oneOf, optional, port, readEnv, text, url, urls, type LogLevel } from '@patchbay/telemetry';
import { loadSecret, type Secret } from '@patchbay/vault';

/** What this program reads of its environment. Secrets come as files that only their owner may read. */
export type Config = {
  readonly home: string;
  readonly port: number;
  readonly processesMax: number;
  readonly idleMs: number;
  /** How long requests in flight may take to end once a stop was asked for. */
  readonly drainMs: number;
  readonly logLevel: LogLevel;
  /** Control planes, any of which will do. */
  readonly controlPlaneUrls: readonly URL[];
  /** What our callers present. */
  readonly callersSecret: Secret;
  /** What we present to the control plane. */
  readonly ownSecret: Secret;
  /** The PATH that servers get. */
  readonly path: string;
  readonly otlpEndpoint: URL | null;
};

const DEFAULT_PORT = 8474;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Throws a ConfigError that names the variable which is missing or malformed. */
export function readConfig(): Config {
  return readEnv({
    home: text(ENV.home),
    port: port(ENV.stdioHostPort, DEFAULT_PORT),
    processesMax: integer(ENV.stdioProcessesMax, { min: 1, max: 10_000 }, 32),
    idleMs: integer(ENV.stdioIdleMs, { min: 1_000, max: 86_400_000 }, 300_000),
    drainMs: integer(ENV.drainMs, { min: 0, max: 600_000 }, 5_000),
    logLevel: oneOf<LogLevel>(ENV.logLevel, LOG_LEVELS, 'info'),
    controlPlaneUrls: urls(ENV.controlPlaneInternalUrl),
    callersSecret: custom(ENV.toStdioHostSecretFile, loadSecret),
    ownSecret: custom(ENV.stdioHostSecretFile, loadSecret),
    path: text('PATH', '/usr/local/bin:/usr/bin:/bin'),
    otlpEndpoint: optional(url('OTEL_EXPORTER_OTLP_ENDPOINT')),
  });
}
