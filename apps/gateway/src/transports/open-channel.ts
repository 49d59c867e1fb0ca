import { Channel } from '@patchbay/mcp-wire/channel';
import type { Logger } from '@patchbay/telemetry';
import type { Caller } from './caller.ts';
import type { CallInside } from './inner-call.ts';

export type OpenChannelDeps = { readonly callInside: CallInside; readonly logger: Pick<Logger, 'info'> };

export type Connection = {
  readonly caller: Caller;
  readonly deliver: (message: Buffer) => Promise<void>;
  /** Its token is good no longer: called once the client has been told. */
  readonly onUnauthorised: () => void;
};

/** Requests of one connection that may wait at a time. */
const REQUESTS_MAX = 256;
const REQUEST_BYTES_MAX = 64 * 1024 * 1024;
/** Time for the message that says so to leave. */
const TOLD_MS = 100;

/** The channel between a connection and the pipeline. Every message is authenticated anew, so a token that ends, ends its connection. */
export function openChannel({ callInside, logger }: OpenChannelDeps, { caller, deliver, onUnauthorised }: Connection): Channel {
  return new Channel({
    eras: 'legacy',
    requestsMax: REQUESTS_MAX,
    requestBytesMax: REQUEST_BYTES_MAX,
    deliver,
    async send(request) {
      const { answer } = await callInside(caller, request);
      if (answer.status === 401) setTimeout(onUnauthorised, TOLD_MS);
      return answer;
    },
    problem: (what, cause) => logger.info({ err: cause, path: caller.path }, `a connection: ${what}`),
  });
}
