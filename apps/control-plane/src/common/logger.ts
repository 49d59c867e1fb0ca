import type { LogMethod, Logger as TelemetryLogger } from '@patchbay/telemetry';

/** packages/telemetry's logger under a name that Nest can inject. */
export abstract class Logger implements TelemetryLogger {
  abstract readonly debug: LogMethod;
  abstract readonly info: LogMethod;
  abstract readonly warn: LogMethod;
  abstract readonly error: LogMethod;
  abstract readonly fatal: LogMethod;
  abstract child(fields: object): TelemetryLogger;
}
