import { type DialerOptions, openUpstreamSocket, type UpstreamSocket } from '@patchbay/egress';
import type { Carrier, CarrierEvents } from '../process/carrier.ts';
import { HELD_BYTES_MAX, MESSAGE_BYTES_MAX, type Dialled } from './dialled.ts';

/** A server behind a WebSocket, a message a text frame: outside the specification, as official clients of 1.x speak it. */
export class WebSocketCarrier implements Carrier {
  readonly pid = 0;
  readonly #socket: UpstreamSocket;
  readonly #gone: Promise<void>;
  /** Sent once it is open; null from then on. */
  #held: string[] | null = [];
  #heldBytes = 0;
  #isGone = false;

  constructor({ headers, url }: Dialled, dialer: DialerOptions, { onGone, onMessage }: CarrierEvents) {
    const gone = Promise.withResolvers<void>();
    this.#gone = gone.promise;
    const options = { ...dialer, headers, protocol: 'mcp', messageBytesMax: MESSAGE_BYTES_MAX };
    this.#socket = openUpstreamSocket(new URL(url), options, {
      onOpen: () => {
        for (const message of this.#held ?? []) this.#socket.send(message);
        this.#held = null;
        this.#heldBytes = 0;
      },
      onMessage,
      onClosed: (how) => {
        this.#isGone = true;
        onGone(how, false);
        gone.resolve();
      },
    });
  }

  send(message: Buffer | string): boolean {
    if (this.#isGone || this.#heldBytes + this.#socket.bufferedBytes > HELD_BYTES_MAX) return false;
    const text = message.toString();
    if (this.#held === null) this.#socket.send(text);
    else {
      this.#heldBytes += Buffer.byteLength(text);
      this.#held.push(text);
    }
    return true;
  }

  stop(): Promise<void> {
    this.#socket.close();
    return this.#gone;
  }
}
