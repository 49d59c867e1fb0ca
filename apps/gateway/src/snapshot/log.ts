/** What these modules need of a logger: the shape of packages/telemetry's. */
export type Log = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

/** Milliseconds since the epoch; handed in so that tests own time. */
export type Clock = { nowMs(): number };
