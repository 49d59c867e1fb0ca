import { exposedUri } from '@patchbay/mcp-wire';
import type { CompiledServer } from '../snapshot/compiled.ts';
import { isOfLists, type StreamView } from '../streams/stream-view.ts';
import { exposedEventId, exposeRequest, exposeWithdrawal } from '../upstream/bridge/server-requests.ts';
import { exposeUris } from './expose-uris.ts';

/** A server's stream as a client of the aggregated endpoint is shown it: ids, positions and URIs say whose they are. */
export function exposeStream({ catalogueMode, slug }: Pick<CompiledServer, 'catalogueMode' | 'slug'>): StreamView {
  return {
    eventId: (id) => exposedEventId(slug, id),
    message(bytes, message) {
      if (catalogueMode !== 'live' && isOfLists(message)) return null;
      const said = message.kind === 'request' ? exposeRequest(bytes, message, slug) : exposeWithdrawal(bytes, message, slug);
      return exposeUris(said, message, (uri) => exposedUri(slug, uri));
    },
  };
}
