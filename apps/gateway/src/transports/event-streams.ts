import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Principal } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import { encodeSseEvent } from '@patchbay/mcp-wire';
import type { Channel } from '@patchbay/mcp-wire/channel';
import { type Keyring, open, seal } from '@patchbay/vault';
import type { Mailboxes, OpenMailbox } from '../mailbox/mailboxes.ts';
import { CallContext } from '../pipeline/context.ts';
import { refuse } from '../pipeline/refuse.ts';
import { ClientStream } from '../streams/client-stream.ts';
import { admit, passOn, passWelcome } from './admission.ts';
import type { Caller } from './caller.ts';
import type { ConnectionBook } from './connection-book.ts';
import { openChannel, type OpenChannelDeps } from './open-channel.ts';
import { readMessage } from './read-message.ts';

export type EventStreamsDeps = OpenChannelDeps & {
  readonly mailboxes: Pick<Mailboxes, 'open' | 'post'>;
  readonly keyring: Keyring;
  readonly book: ConnectionBook;
  readonly bodyLimitBytes: number;
};

/** HTTP+SSE of 2024-11-05: one stream that answers come on, and POSTs that may land on any pod. */
export type EventStreams = {
  /** Answers `GET …/sse`. */
  open(response: ServerResponse, caller: Caller): Promise<void>;
  /** Answers `POST …/messages`. */
  take(request: IncomingMessage, response: ServerResponse, caller: Caller): Promise<void>;
};

type OwnStream = { readonly channel: Channel; readonly box: OpenMailbox };

const CLOSE_MS = 15_000;
const PARAMETER = 'session';

export function makeEventStreams({ bodyLimitBytes, book, mailboxes, ...deps }: EventStreamsDeps): EventStreams {
  const keyring = deps.keyring.derive('sse-stream');
  /** The streams of this pod, by the address of their mailboxes. */
  const own = new Map<string, OwnStream>();
  const contextOf = ({ organisationId, userId }: Principal, path: string): string[] => ['sse-stream', organisationId, userId, path];

  async function serve(response: ServerResponse, caller: Caller, principal: Principal): Promise<void> {
    const stream = new ClientStream(response, { drained: () => undefined, left: () => undefined });
    const deliver = async (message: Buffer): Promise<void> => {
      if (!stream.sendEvent(message)) await Promise.race([once(response, 'drain'), once(response, 'close')]).catch(() => undefined);
    };
    const channel = openChannel(deps, { caller, deliver, onUnauthorised: () => stream.end() });
    const end = (): void => stream.end();
    const connection = { settle: (ms: number) => channel.settle(ms), end, cut: () => response.destroy() };
    const leave = book.enter('sse', principal.organisationId, connection);
    if (leave === null)
      return refuseHere(response, refusal('http.overloaded', 'Your organisation has as many open connections as it may have here.'));
    const box = await mailboxes.open(principal.organisationId, (letter) => void channel.take(Buffer.from(letter)));
    const over = (): void => {
      own.delete(box.address);
      box.close();
      leave();
      void channel.close(CLOSE_MS);
    };
    if (response.destroyed) return over();
    own.set(box.address, { channel, box });
    response.once('close', over);
    const session = seal(keyring, box.address, contextOf(principal, caller.path));
    const data = `${caller.path.replace(/mcp$/, 'messages')}?${PARAMETER}=${session}`;
    stream.begin();
    stream.write(encodeSseEvent({ event: 'endpoint', data }));
    stream.keepAlive();
  }

  /** In the order in which they were accepted, whichever pod that was: what other pods left is fetched before what came here. */
  async function hand(organisationId: Principal['organisationId'], address: string, message: Buffer): Promise<Refusal | null> {
    const here = own.get(address);
    if (here === undefined) {
      const posted = await mailboxes.post(organisationId, address, message.toString('utf8'));
      return posted === 'posted' ? null : refusal(posted === 'full' ? 'http.overloaded' : 'session.gone');
    }
    await here.box.fetch().catch(() => undefined);
    await here.channel.take(message);
    return null;
  }

  async function take(request: IncomingMessage, caller: Caller, principal: Principal): Promise<Refusal | null> {
    const session = new URL(request.url ?? '', 'http://gateway').searchParams.get(PARAMETER) ?? '';
    const address = open(keyring, session, contextOf(principal, caller.path));
    if (address === null) return refusal('session.gone');
    const message = await readMessage(request, bodyLimitBytes);
    if (!Buffer.isBuffer(message)) return message;
    if (!isUtf8(message)) return refusal('rpc.parse', 'It is not UTF-8.');
    return hand(principal.organisationId, address.toString('utf8'), message).catch(() => refusal('http.overloaded'));
  }

  return {
    async open(response, caller) {
      const admission = await admit(deps.callInside, caller);
      if (admission.principal === null) return passOn(response, admission);
      passWelcome(response, admission);
      await serve(response, caller, admission.principal);
    },
    async take(request, response, caller) {
      const admission = await admit(deps.callInside, caller);
      if (admission.principal === null) return passOn(response, admission);
      passWelcome(response, admission);
      const refused = await take(request, caller, admission.principal);
      if (refused !== null) refuseHere(response, refused);
      else response.writeHead(202, { 'content-length': 0 }).end();
    },
  };
}

function refuseHere(response: ServerResponse, refused: Refusal): void {
  refuse(new CallContext(response.req, response, performance.now()), refused);
}
