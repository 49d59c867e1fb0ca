/** What these modules need of a logger: the shape of packages/telemetry's. */
export type Log = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

/** Time, handed in so that tests own it. */
export type Clock = {
  /** Milliseconds since the epoch: may jump, either way. */
  nowMs(): number;
  /** Milliseconds since some moment of this process: never jumps. */
  monotonicMs(): number;
};
