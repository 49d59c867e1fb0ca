import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SharedStore } from '@patchbay/ports';
import type { Logger, Metrics } from '@patchbay/telemetry';
import type { Keyring } from '@patchbay/vault';
import type { CallContext } from '../pipeline/context.ts';
import { callerOf, transportOf } from './caller.ts';
import { makeConnectionBook } from './connection-book.ts';
import { makeCallInside } from './inner-call.ts';
import { makeTickets } from './tickets.ts';
import { makeWebSockets } from './web-sockets.ts';

/** The ways to an endpoint beside streamable HTTP. They only carry messages: each goes through the pipeline like any other. */
export type Transports = {
  /** True when the request was for one of them and is being answered. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Lets go of every connection once nothing of it waits, at the latest after `withinMs`. */
  drain(withinMs: number): Promise<void>;
};

export type TransportsDeps = {
  /** The pipeline. */
  readonly run: (ctx: CallContext) => Promise<void>;
  readonly keyring: Keyring;
  readonly store: SharedStore;
  readonly clock: { nowMs(): number };
  readonly bodyLimitBytes: number;
  readonly logger: Pick<Logger, 'info'>;
  readonly metrics: Metrics;
};

export function makeTransports({ bodyLimitBytes, clock, keyring, logger, metrics, run, store }: TransportsDeps): Transports {
  const book = makeConnectionBook(metrics);
  const callInside = makeCallInside(run);
  const webSockets = makeWebSockets({ callInside, logger, book, bodyLimitBytes, tickets: makeTickets({ keyring, store, clock }) });
  return {
    handle(request, response) {
      const found = transportOf(request.url ?? '');
      if (found?.transport !== 'ws' || request.method !== 'POST') return false;
      request.resume();
      void webSockets.giveTicket(response, callerOf(request, found.path));
      return true;
    },
    upgrade(request, socket, head) {
      const found = transportOf(request.url ?? '');
      if (found?.transport !== 'ws') socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      else void webSockets.upgrade(request, { socket, head, caller: callerOf(request, found.path) });
    },
    drain: (withinMs) => book.drain(withinMs),
  };
}
