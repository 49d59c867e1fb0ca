import { exposedUri } from '@patchbay/mcp-wire';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { AS_IT_IS, type StreamView } from '../streams/stream-view.ts';
import { exposedEventId, exposeRequest } from '../upstream/bridge/server-requests.ts';
import { exposeUris } from './expose-uris.ts';

/** A server's stream as a client of the aggregated endpoint is shown it: ids, positions and URIs say whose they are. */
export function exposeStream({ slug }: CompiledServer): StreamView {
  return {
    eventId: (id) => exposedEventId(slug, id),
    message(bytes, message) {
      const carried = AS_IT_IS.message(bytes, message);
      if (carried === null) return null;
      const asked = message.kind === 'request' ? exposeRequest(carried, message, slug) : carried;
      return exposeUris(asked, message, (uri) => exposedUri(slug, uri));
    },
  };
}
