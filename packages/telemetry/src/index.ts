export { ConfigError, custom, exitsWithParent, file, integer, oneOf, optional, port, readEnv, text, url, type Variable } from './config.ts';
export { drainServer, isDraining } from './drain-server.ts';
export { createLogger, type Logger, type LoggerOptions, type LogLevel, type LogMethod } from './logger.ts';
export {
  createMetrics,
  LATENCY_BUCKETS_S,
  type CounterSeries,
  type Family,
  type FamilyOptions,
  type GaugeSeries,
  type HistogramSeries,
  type Labels,
  type Metrics,
} from './metrics.ts';
export { runProgram, type Program, type Running } from './program.ts';
export { cleanText, escapeUnprintable } from './redact.ts';
export { childSpan, formatTraceparent, parseTraceparent, type RandomBytes, type TraceContext } from './trace-context.ts';
