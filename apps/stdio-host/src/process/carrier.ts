import type { OutputTail } from './output-tail.ts';

/**
 * What carries messages to one run of a server and back: the pipes of a child process, or a connection. It knows nothing of sessions,
 * ids and streams; those are the host's, and the same over every carrier.
 */
export interface Carrier {
  /** 0 where no process of ours is behind it. */
  readonly pid: number;
  /** Sends one message; false when the server is gone or has stopped taking any. `message` is one line of JSON. */
  send(message: Buffer | string): boolean;
  /** In order first, then by force. Resolves when nothing of it is left, and `onGone` was called. */
  stop(): Promise<void>;
}

/** What a carrier tells. */
export type CarrierEvents = {
  /** For what the server says to people. */
  readonly tail: OutputTail;
  /** Each message of the server, in order. */
  readonly onMessage: (message: Buffer) => void;
  /** Once, last; `how` is in words, `killed`: by our force. */
  readonly onGone: (how: string, killed: boolean) => void;
};

/** Starts the program, or begins to dial. What goes wrong is told by `onGone`. */
export type OpenCarrier = (events: CarrierEvents) => Carrier;
