import type { Refusal } from '@patchbay/errors';
import { requestMeta, type ScannedMessage, scanMessage, sliceMember } from '@patchbay/mcp-wire';
import { SERVER_INFO } from '../methods/self.ts';
import { UpstreamStream } from '../streams/upstream-stream.ts';
import { modernRequestHeaders } from '../upstream/headers.ts';
import { refuseBroken, refuseFailure } from '../upstream/judge.ts';
import type { ServerFilter, Subscribing, Subscription } from './subscribe-to.ts';
import { admitUnasked } from '../upstream/unasked-limits.ts';
import { SCAN } from '../upstream/scan-limits.ts';

const METHOD = 'subscriptions/listen';
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';
const ID = 'patchbay-listen';

/** By a `subscriptions/listen` of its own. It stands when the server has acknowledged it. */
export function subscribeModern(input: Subscribing): Promise<Subscription | Refusal> {
  const { slug, timeouts } = input.upstream.server;
  const way = input.upstream.ways.to(null);
  if (way === null) return Promise.resolve(refuseFailure('dial', slug));
  return new Promise((resolve) => {
    let isOver = false;
    let stands = false;
    const over = (refused: Refusal): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(late);
      stream.close();
      if (stands) input.ended();
      else resolve(refused);
    };
    const take = (bytes: Buffer, message: ScannedMessage): void => {
      if (message.kind === 'response') {
        over(refuseBroken(slug, `does not take ${METHOD}`));
      } else if (message.method === ACKNOWLEDGED) {
        stands = true;
        clearTimeout(late);
        const close = (): void => {
          isOver = true;
          stream.close();
        };
        resolve({ honoured: honouredBy(bytes), close });
      } else if (message.kind === 'notification' && stands) {
        input.notified(bytes, message);
      }
    };
    const headers = modernRequestHeaders(input.upstream, METHOD, null);
    const request = { pool: way.streams(), path: way.path, headers, body: requestOf(input), timeoutMs: timeouts.requestMs };
    const stream = new UpstreamStream(request, {
      opened: () => undefined,
      event({ data, event }) {
        if (isOver || data === '' || event !== 'message') return;
        const bytes = Buffer.from(data);
        const scanned = scanMessage(bytes, SCAN);
        if (scanned.ok && admitUnasked(input.upstream, null, scanned.message)) take(bytes, scanned.message);
      },
      refused: (why) =>
        over(typeof why === 'number' ? refuseBroken(slug, `answered ${METHOD} with HTTP ${why}`) : refuseFailure(why, slug)),
      ended: () => over(refuseBroken(slug, `ended ${METHOD} without acknowledging it`)),
    });
    const late = setTimeout(() => over(refuseFailure('timeout', slug)), timeouts.requestMs);
    stream.open();
  });
}

function requestOf({ clientCapabilities, filter }: Subscribing): string {
  const meta = requestMeta({ clientCapabilities, clientInfo: SERVER_INFO });
  return `{"jsonrpc":"2.0","id":"${ID}","method":"${METHOD}","params":{"notifications":${JSON.stringify(filter)},"_meta":${meta}}}`;
}

function honouredBy(bytes: Buffer): ServerFilter {
  const span = sliceMember(bytes, ['params', 'notifications']);
  const honoured: unknown = span === null ? null : JSON.parse(bytes.toString('utf8', span.start, span.end));
  return typeof honoured === 'object' && honoured !== null ? (honoured as ServerFilter) : {};
}
