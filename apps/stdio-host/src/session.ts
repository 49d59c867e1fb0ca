import type { ServerProcess } from './process/server-process.ts';
import type { SessionStreams } from './streams/session-streams.ts';

/** One MCP session of a caller on one process, with the streams of messages to it. It ends with its process. */
export type Session = {
  readonly id: string;
  readonly process: ServerProcess;
  readonly streams: SessionStreams;
  /** The control plane's, which reads lists. */
  readonly isDiscovery: boolean;
  lastUsedAtMs: number;
};
