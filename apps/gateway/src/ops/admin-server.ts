import type { Server, ServerResponse } from 'node:http';
import { type CertificateLog, createListeningServer, type HostCheck, mayReadMetrics, type PrivateListener } from '@patchbay/listening';
import type { Metrics } from '@patchbay/telemetry';

export type AdminDeps = {
  readonly metrics: Metrics;
  /** null: ready; else why not, in words. */
  readonly notReady: () => string | null;
  readonly listener: PrivateListener;
  readonly isOwnHost: HostCheck;
  readonly log: CertificateLog;
};

/** Probes and metrics on a listener of their own: `/livez`, `/readyz`, `/metrics`. */
export function createAdminServer({ isOwnHost, listener, log, metrics, notReady }: AdminDeps): Server {
  return createListeningServer({ listener, log }, {}, (request, response) => {
    if (!isOwnHost(request.headers.host, request.socket.localAddress))
      return answer(response, 421, 'This listener does not serve that Host.\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'Only GET.\n');
    switch (request.url) {
      case '/livez':
        return answer(response, 200, 'ok\n');
      case '/readyz': {
        const reason = notReady();
        return reason === null ? answer(response, 200, 'ok\n') : answer(response, 503, `${reason}\n`);
      }
      case '/metrics':
        if (!mayReadMetrics(listener, request)) return answer(response, 401, 'Metrics ask for a token here.\n');
        metrics.render().then(
          ({ contentType, text }) => answer(response, 200, text, contentType),
          () => answer(response, 500, 'The metrics could not be rendered.\n'),
        );
        return;
      default:
        return answer(response, 404, 'There is /livez, /readyz and /metrics.\n');
    }
  });
}

function answer(response: ServerResponse, status: number, body: string, contentType = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  response.end(body);
}
