import type { IncomingHttpHeaders } from 'node:http';
import type { ExchangeFailure, Receiver } from '../exchange.ts';
import { judgeHead } from '../judge.ts';

export type ResumedStreamInput = {
  readonly slug: string;
  readonly relay: Receiver;
  /** The stream stands: only now may the server be told what it waits for, since some lose what nobody listens to. */
  readonly onLive: () => void;
  /** The server still holds the stream's last connection for alive. */
  readonly onBusy: () => void;
  /** There is nothing to take up any more. */
  readonly onLost: () => void;
};

const BUSY = 409;

/** The rest of a server's stream of events, taken up where it was left. */
export class ResumedStream implements Receiver {
  readonly #input: ResumedStreamInput;
  #isLive = false;

  constructor(input: ResumedStreamInput) {
    this.#input = input;
  }

  head(status: number, headers: IncomingHttpHeaders): void {
    const { onBusy, onLive, onLost, relay, slug } = this.#input;
    if (status === BUSY) {
      onBusy();
    } else if (judgeHead(status, headers, slug) === 'events') {
      this.#isLive = true;
      relay.head(status, headers);
      onLive();
    } else {
      onLost();
    }
  }

  data(chunk: Buffer): void {
    if (this.#isLive) this.#input.relay.data(chunk);
  }

  end(): void {
    if (this.#isLive) this.#input.relay.end();
  }

  /** The call was sent before: that no connection stands for its rest does not mean that it may be sent again. */
  failed(failure: ExchangeFailure): void {
    this.#input.relay.failed(failure === 'dial' || failure === 'connect-timeout' ? 'cut' : failure);
  }

  crashed(error: unknown): void {
    this.#input.relay.crashed(error);
  }
}
