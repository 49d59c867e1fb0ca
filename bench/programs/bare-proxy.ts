import { createServer, type IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { endWithStdin } from './end-with-stdin.ts';

// The yardstick: a proxy that reads and parses a call, sends it on, and answers what came back. It checks nothing.
const [port, upstreamPort, path = '/'] = process.argv.slice(2);
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { connections: 256 });
const common = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const PASSED = ['mcp-protocol-version', 'mcp-method', 'mcp-name'];

createServer({ keepAliveTimeout: 65_000, noDelay: true }, (request, response) => {
  const received: Buffer[] = [];
  request.on('data', (chunk: Buffer) => received.push(chunk));
  request.on('end', () => {
    const headers: IncomingHttpHeaders = { ...common };
    for (const name of PASSED) if (request.headers[name] !== undefined) headers[name] = request.headers[name];
    const body = Buffer.concat(received);
    JSON.parse(body.toString());
    const answered: Buffer[] = [];
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => undefined,
      onResponseStart(_controller, status, { 'content-type': type = 'application/json' }) {
        response.statusCode = status;
        response.setHeader('content-type', type);
      },
      onResponseData: (_controller, chunk) => void answered.push(chunk),
      onResponseEnd() {
        const answer = Buffer.concat(answered);
        response.setHeader('content-length', answer.length);
        response.end(answer);
      },
      onResponseError: () => void response.destroy(),
    };
    pool.dispatch({ method: 'POST', path, headers, body }, handler);
  });
}).listen(Number(port), '127.0.0.1', 4_096);
endWithStdin();
