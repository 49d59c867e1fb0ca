export {
  ConfigError,
  custom,
  exitsWithParent,
  file,
  fileOrDirect,
  integer,
  oneOf,
  optional,
  port,
  readEnv,
  required,
  text,
  url,
  type Environment,
  type Variable,
} from './config.ts';
export { drainServer, isDraining } from './drain-server.ts';
export { createLogger, type Logger, type LoggerOptions, type LogLevel, type LogMethod } from './logger.ts';
export { createMetrics, LATENCY_BUCKETS_S, type Family, type FamilyOptions, type Labels, type Metrics } from './metrics.ts';
export { createProgramMetrics } from './program-metrics.ts';
export { runProgram, type Program, type Running } from './program.ts';
export type { Reading } from './reading.ts';
export { cleanText, escapeUnprintable } from './redact.ts';
export type { CounterSeries, GaugeSeries, HistogramSeries } from './series.ts';
export { childSpan, formatTraceparent, parseTraceparent, type RandomBytes, type TraceContext } from './trace-context.ts';
export { parseHostPorts } from './host-ports.ts';
