import { createServer } from 'node:http';
import { PROGRESS_TOKEN, resultText } from '../load/mcp-messages.ts';
import { endWithStdin } from './end-with-stdin.ts';

// Answers each call on a stream: ten reports of progress, each written by itself, then the result.
const [port] = process.argv.slice(2);
const EVENTS = 10;

const eventOf = (json: string): Buffer => Buffer.from(`event: message\ndata: ${json}\n\n`);
const events = Array.from({ length: EVENTS }, (_, k) => {
  const params = { progressToken: PROGRESS_TOKEN, progress: k + 1, total: EVENTS, message: `Looked at ${k + 1} of ${EVENTS}` };
  return eventOf(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params }));
});
const last = eventOf(resultText('modern'));

createServer({ keepAliveTimeout: 65_000, noDelay: true }, (request, response) => {
  const write = (k: number): void => {
    const event = events[k];
    if (event === undefined) return void response.end(last);
    response.write(event, () => setImmediate(write, k + 1));
  };
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    write(0);
  });
  request.resume();
}).listen(Number(port), '127.0.0.1', 4_096);
endWithStdin();
