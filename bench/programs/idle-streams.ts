import { createServer } from 'node:http';
import { endWithStdin } from './end-with-stdin.ts';

// The yardstick for streams that stand and say nothing: a head, and then silence.
const [port] = process.argv.slice(2);

createServer({ keepAliveTimeout: 65_000, noDelay: true }, (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
}).listen(Number(port), '127.0.0.1', 16_384);
endWithStdin();
