import { join } from 'node:path';
import { ENV } from '@patchbay/contracts';
import { custom, file, integer, type LogLevel, oneOf, optional, port, readEnv, text, url } from '@patchbay/telemetry';

const MEBIBYTE = 1024 * 1024;

/** The gateway's settings. Refuses to start on a bad value, naming the variable. */
export type Config = {
  /** This gateway's own folder: last good state, sealed token cache. */
  readonly folder: string;
  readonly gatewayPort: number;
  readonly adminPort: number;
  readonly logLevel: LogLevel;
  readonly bodyLimitBytes: number;
  readonly stalenessBudgetMs: number;
  /** How long calls in flight may take to end once a stop was asked for. */
  readonly drainMs: number;
  readonly portsDatabaseUrlFile: string;
  readonly snapshotPublicKeyFile: string;
  readonly sessionSealingKeyFile: string;
  readonly tokenTagKeyFile: string;
  readonly controlPlaneInternalUrl: URL;
  readonly gatewaySecretFile: string;
  readonly stdioHostUrl: URL;
  readonly toStdioHostSecretFile: string;
  readonly refusedAddresses: readonly { readonly host: string; readonly port: number }[];
  readonly tracing: boolean;
};

/** Reads the environment once; nothing else in the gateway does. */
export function loadConfig(): Config {
  const { home, otlpEndpoint, ...settings } = readEnv({
    home: text(ENV.home),
    gatewayPort: port(ENV.gatewayPort, 8471),
    adminPort: port(ENV.adminPort, 8472),
    logLevel: oneOf<LogLevel>(ENV.logLevel, ['debug', 'info', 'warn', 'error'], 'info'),
    bodyLimitBytes: integer(ENV.bodyLimitBytes, { min: 1024, max: 1024 * MEBIBYTE }, 16 * MEBIBYTE),
    stalenessBudgetMs: integer(ENV.stalenessBudgetMs, { min: 10_000, max: 24 * 3_600_000 }, 300_000),
    drainMs: integer(ENV.drainMs, { min: 0, max: 3_600_000 }, 25_000),
    portsDatabaseUrlFile: file(ENV.portsDatabaseUrlFile),
    snapshotPublicKeyFile: file(ENV.snapshotPublicKeyFile),
    sessionSealingKeyFile: file(ENV.sessionSealingKeyFile),
    tokenTagKeyFile: file(ENV.tokenTagKeyFile),
    controlPlaneInternalUrl: url(ENV.controlPlaneInternalUrl),
    gatewaySecretFile: file(ENV.gatewaySecretFile),
    stdioHostUrl: url(ENV.stdioHostUrl),
    toStdioHostSecretFile: file(ENV.toStdioHostSecretFile),
    refusedAddresses: custom(ENV.refusedAddresses, parseAddresses, []),
    otlpEndpoint: optional(url('OTEL_EXPORTER_OTLP_ENDPOINT')),
  });
  return { ...settings, folder: join(home, 'gateway'), tracing: otlpEndpoint !== null };
}

function parseAddresses(value: string): { host: string; port: number }[] {
  return value.split(',').map((each) => {
    const match = /^\[?(.+?)\]?:(\d{1,5})$/.exec(each.trim());
    if (match?.[1] === undefined || match[2] === undefined) throw new Error(`"${each}" is not host:port`);
    return { host: match[1], port: Number(match[2]) };
  });
}
