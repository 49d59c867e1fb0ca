import { hostname } from 'node:os';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { cleanError, cleanFields, cleanText, maskBearers } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Fields first, then one sentence; or the sentence alone. An Error goes under the key `err`. */
export type LogMethod = {
  (fields: object, message?: string): void;
  (message: string): void;
};

/** Writes one JSON line an event. Whatever is handed in is masked by key and by value, and escaped, before it is written. */
export type Logger = {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;
  /** A logger whose every line carries these fields too. */
  child(fields: object): Logger;
};

export type LoggerOptions = { program: string; level?: LogLevel; destination?: DestinationStream };

/** Logs to stdout, synchronously, unless a destination is handed in. */
export function createLogger({ program, level = 'info', destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { program, host: hostname(), pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    // Errors are plain objects by then: the library's own serialiser would call each of them an Object.
    serializers: { err: asIs },
    // The last net: a bearer never leaves, by whatever way it came into the line.
    hooks: { streamWrite: maskBearers },
  };
  return wrap(destination === undefined ? pino(options) : pino(options, destination));
}

function wrap(inner: PinoLogger): Logger {
  const method =
    (level: Exclude<LogLevel, 'silent'>): LogMethod =>
    (first: object | string, message?: string): void => {
      if (!inner.isLevelEnabled(level)) return;
      if (typeof first === 'string') inner[level](cleanText(first));
      else write(inner, level, first, message);
    };
  return {
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    fatal: method('fatal'),
    child: (fields) => wrap(inner.child(cleanFields(fields), { serializers: { err: asIs } })),
  };
}

function write(inner: PinoLogger, level: Exclude<LogLevel, 'silent'>, first: object, message: string | undefined): void {
  const fields = first instanceof Error ? { err: cleanError(first) } : cleanFields(first);
  const text = message ?? (first instanceof Error ? first.message : undefined);
  if (text === undefined) inner[level](fields);
  else inner[level](fields, cleanText(text));
}

function asIs(value: unknown): unknown {
  return value;
}
