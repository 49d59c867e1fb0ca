import { ENV } from '@patchbay/contracts';
import { internalUrls, type PrivateListener, readInternalCa, readPrivateListener } from '@patchbay/listening';
import {
  custom,
  integer,
  oneOf,
  optional,
  port,
  readEnv,
  text,
  url,
  type Environment,
  type LogLevel,
  parseHostPorts,
} from '@patchbay/telemetry';
import { loadSecret, type Secret } from '@patchbay/vault';
import type { Limits } from './limits/limits.ts';

/** What this program reads of its environment. Secrets come as files that only their owner may read. */
export type Config = {
  readonly home: string;
  readonly port: number;
  readonly listener: PrivateListener;
  readonly processesMax: number;
  readonly idleMs: number;
  readonly lifetimeMs: number;
  readonly startTimeoutMs: number;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly tasksMax: number;
  readonly openFilesMax: number;
  /** Of one processor. */
  readonly cpuPercent: number;
  /** How long requests in flight may take to end once a stop was asked for. */
  readonly drainMs: number;
  readonly logLevel: LogLevel;
  /** Control planes, any of which will do. */
  readonly controlPlaneUrls: readonly URL[];
  /** By whom they are known over TLS; null: none is reached over it. */
  readonly internalCa: string | null;
  /** What our callers present. */
  readonly callersSecret: Secret;
  /** What we present to the control plane. */
  readonly ownSecret: Secret;
  /** The PATH that servers get. */
  readonly path: string;
  readonly otlpEndpoint: URL | null;
  /** What no server may reach. */
  readonly refusedAddresses: readonly { readonly host: string; readonly port: number }[];
};

const DEFAULT_PORT = 8474;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Throws a ConfigError that names the variable which is missing or malformed. */
export function readConfig(env: Environment = process.env): Config {
  const settings = readEnv(
    {
      home: text(ENV.home),
      port: port(ENV.stdioHostPort, DEFAULT_PORT),
      processesMax: integer(ENV.stdioProcessesMax, { min: 1, max: 10_000 }, 32),
      idleMs: integer(ENV.stdioIdleMs, { min: 1_000, max: 86_400_000 }, 300_000),
      lifetimeMs: integer(ENV.stdioLifetimeMs, { min: 1_000, max: 30 * 86_400_000 }, 86_400_000),
      startTimeoutMs: integer(ENV.stdioStartMs, { min: 100, max: 600_000 }, 30_000),
      memoryMb: integer(ENV.stdioMemoryMb, { min: 32, max: 1_048_576 }, 1_024),
      diskMb: integer(ENV.stdioDiskMb, { min: 1, max: 1_048_576 }, 2_048),
      tasksMax: integer(ENV.stdioTasksMax, { min: 16, max: 100_000 }, 256),
      openFilesMax: integer(ENV.stdioOpenFilesMax, { min: 64, max: 1_000_000 }, 4_096),
      cpuPercent: integer(ENV.stdioCpuPercent, { min: 1, max: 100_000 }, 200),
      drainMs: integer(ENV.drainMs, { min: 0, max: 600_000 }, 5_000),
      logLevel: oneOf<LogLevel>(ENV.logLevel, LOG_LEVELS, 'info'),
      controlPlaneUrls: internalUrls(ENV.controlPlaneInternalUrl),
      callersSecret: custom(ENV.toStdioHostSecretFile, loadSecret),
      ownSecret: custom(ENV.stdioHostSecretFile, loadSecret),
      path: text('PATH', '/usr/local/bin:/usr/bin:/bin'),
      refusedAddresses: custom(ENV.refusedAddresses, parseHostPorts, []),
      otlpEndpoint: optional(url('OTEL_EXPORTER_OTLP_ENDPOINT')),
    },
    env,
  );
  return {
    ...settings,
    listener: readPrivateListener(env, ENV.internalListen),
    internalCa: readInternalCa(env, settings.controlPlaneUrls),
  };
}

const MIB = 1024 * 1024;

/** What one run of a server may use. */
export function limitsOf({ cpuPercent, diskMb, memoryMb, openFilesMax, tasksMax }: Config): Limits {
  return { memoryBytes: memoryMb * MIB, diskBytes: diskMb * MIB, tasksMax, openFilesMax, cpus: cpuPercent / 100 };
}
