import { writeSync } from 'node:fs';
import { ConfigError, exitsWithParent } from './config.ts';
import type { Logger } from './logger.ts';
import { cleanText } from './redact.ts';

const EXIT_OK = 0;
const EXIT_FAULT = 1;
/** EX_CONFIG of sysexits.h: starting again changes nothing before somebody changes the settings. */
const EXIT_CONFIG = 78;
const STOP_DEADLINE_MS = 10_000;

/** A program that has started. `stop` closes everything in order and is called at most once. */
export type Running = {
  readonly logger: Logger;
  stop(): Promise<void>;
  /** How long the stop may take before the program ends all the same; 10 s when left away. */
  readonly stopDeadlineMs?: number;
};

export type Program = { readonly name: string; readonly start: () => Promise<Running> };

/**
 * Runs a program to its end: stops it once, in order and within the deadline, on SIGTERM, SIGINT or the end of its
 * supervisor; ends with 0 when told to stop, 78 on unusable settings, 1 on any fault. Prints one line where it cannot start.
 */
export function runProgram({ name, start }: Program): void {
  let running: Running | null = null;
  let stopReason: string | null = null;
  let stopping = false;

  const stopOnce = (): void => {
    if (running === null || stopReason === null || stopping) return;
    stopping = true;
    running.logger.info({ reason: stopReason }, 'stopping');
    running.stop().then(
      () => process.exit(EXIT_OK),
      (error: unknown) => die(error, 'stopping failed'),
    );
  };
  const askToStop = (reason: string): void => {
    if (stopReason !== null) return;
    stopReason = reason;
    const stopDeadlineMs = running?.stopDeadlineMs ?? STOP_DEADLINE_MS;
    // From the asking on, not from the start's end: a start that hangs must not outlive its supervisor.
    setTimeout(() => {
      running?.logger.error({ stopDeadlineMs }, 'did not stop in time');
      process.exit(EXIT_FAULT);
    }, stopDeadlineMs).unref();
    stopOnce();
  };
  const die = (error: unknown, what: string): void => {
    if (running === null) complain(name, error);
    else running.logger.fatal({ err: error }, what);
    process.exit(error instanceof ConfigError ? EXIT_CONFIG : EXIT_FAULT);
  };

  process.on('uncaughtException', (error) => die(error, 'uncaught fault'));
  process.on('unhandledRejection', (error) => die(error, 'unhandled rejection'));
  process.on('SIGTERM', () => askToStop('SIGTERM'));
  process.on('SIGINT', () => askToStop('SIGINT'));
  if (exitsWithParent()) onStdinClosed(() => askToStop('stdin closed'));
  start().then(
    (started) => {
      running = started;
      stopOnce();
    },
    (error: unknown) => die(error, 'start failed'),
  );
}

function onStdinClosed(closed: () => void): void {
  process.stdin.on('end', closed).on('close', closed).on('error', closed).resume();
}

function complain(name: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  try {
    writeSync(process.stderr.fd, `${name} cannot start: ${cleanText(why)}\n`);
  } catch {
    // Nobody reads stderr any more; the exit status still tells.
  }
}
