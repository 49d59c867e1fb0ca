import { Agent, WebSocket } from 'undici';
import { createDialer, type DialerOptions } from './dialer.ts';

export type UpstreamSocketOptions = DialerOptions & {
  readonly headers: Readonly<Record<string, string>>;
  readonly protocol: string;
  /** Longest message taken, unpacked. */
  readonly messageBytesMax: number;
};

export type UpstreamSocketEvents = {
  readonly onOpen: () => void;
  /** One text message. */
  readonly onMessage: (message: Buffer) => void;
  /** Once, last: also when it never opened. `how` is in words and names no address. */
  readonly onClosed: (how: string) => void;
};

export type UpstreamSocket = {
  /** Bytes that were sent and have not left yet. */
  readonly bufferedBytes: number;
  send(message: string): void;
  /** In order first, then by force. */
  close(): void;
};

const HEADER_BYTES_MAX = 64 * 1024;
const CLOSE_WITHIN_MS = 1_000;

/** Opens a WebSocket to a destination that the policy lets pass; follows nothing. Text only: a binary message ends it. */
export function openUpstreamSocket(url: URL, options: UpstreamSocketOptions, events: UpstreamSocketEvents): UpstreamSocket {
  const agent = new Agent({
    connect: createDialer(options),
    maxHeaderSize: HEADER_BYTES_MAX,
    webSocket: { maxPayloadSize: options.messageBytesMax },
  });
  const socket = new WebSocket(url, { protocols: options.protocol, dispatcher: agent, headers: { ...options.headers } });
  let how: string | null = null;
  let isOpen = false;
  socket.addEventListener('open', () => {
    isOpen = true;
    events.onOpen();
  });
  socket.addEventListener('message', ({ data }) => {
    if (typeof data === 'string') events.onMessage(Buffer.from(data));
    else {
      how = 'it sent a binary message';
      socket.close();
    }
  });
  socket.addEventListener('error', () => {
    how ??= isOpen ? 'its connection failed' : 'it could not be connected to, or refused the connection';
  });
  socket.addEventListener('close', ({ code, reason }) => {
    events.onClosed(how ?? `it closed the connection (${code}${reason === '' ? '' : `, ${reason.slice(0, 123)}`})`);
    void agent.destroy();
  });
  return {
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    send: (message) => socket.send(message),
    close() {
      how ??= 'it was stopped';
      socket.close();
      setTimeout(() => void agent.destroy(), CLOSE_WITHIN_MS).unref();
    },
  };
}
