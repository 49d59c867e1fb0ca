import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { performance } from 'node:perf_hooks';
import { refusal } from '@patchbay/errors';
import type { TrustedProxies } from '@patchbay/listening';
import type { SharedStore } from '@patchbay/ports';
import type { Logger, Metrics } from '@patchbay/telemetry';
import type { Keyring } from '@patchbay/vault';
import type { Mailboxes } from '../mailbox/mailboxes.ts';
import { CallContext } from '../pipeline/context.ts';
import { refuse } from '../pipeline/refuse.ts';
import { callerOf, transportOf } from './caller.ts';
import { makeConnectionBook } from './connection-book.ts';
import { makeEventStreams } from './event-streams.ts';
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
  readonly mailboxes: Pick<Mailboxes, 'open' | 'post'>;
  readonly clock: { nowMs(): number };
  readonly bodyLimitBytes: number;
  readonly logger: Pick<Logger, 'info'>;
  readonly metrics: Metrics;
  readonly proxies: TrustedProxies;
};

/** What each is asked by; a WebSocket's own address gives tickets for it. */
const METHODS = { sse: 'GET', messages: 'POST', ws: 'POST' } as const;

export function makeTransports({
  bodyLimitBytes,
  clock,
  keyring,
  logger,
  mailboxes,
  metrics,
  proxies,
  run,
  store,
}: TransportsDeps): Transports {
  const book = makeConnectionBook(metrics);
  const callInside = makeCallInside(run);
  const shared = { callInside, logger, book, bodyLimitBytes };
  const webSockets = makeWebSockets({ ...shared, tickets: makeTickets({ keyring, store, clock }) });
  const eventStreams = makeEventStreams({ ...shared, keyring, mailboxes });
  return {
    handle(request, response) {
      const found = transportOf(request.url ?? '');
      if (found === null) return false;
      const caller = callerOf(request, found.path, proxies);
      const answering = (work: Promise<void>): void =>
        void work.catch((error: unknown) => {
          logger.info({ err: error, path: found.path }, 'a request of a connection was not answered');
          response.destroy();
        });
      if (request.method !== METHODS[found.transport]) {
        response.setHeader('allow', METHODS[found.transport]);
        refuse(new CallContext(request, response, performance.now()), refusal('http.method'));
      } else if (found.transport === 'messages') answering(eventStreams.take(request, response, caller));
      else if (found.transport === 'sse') answering(eventStreams.open(response, caller));
      else answering(webSockets.giveTicket(response, caller));
      return true;
    },
    upgrade(request, socket, head) {
      const found = transportOf(request.url ?? '');
      if (found?.transport !== 'ws') socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      else void webSockets.upgrade(request, { socket, head, caller: callerOf(request, found.path, proxies) });
    },
    drain: (withinMs) => book.drain(withinMs),
  };
}
