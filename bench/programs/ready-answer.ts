import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { endWithStdin } from './end-with-stdin.ts';

// The yardstick for what is answered from memory: a server that reads a request and answers a buffer that stands ready.
const [port, file = ''] = process.argv.slice(2);
const answer = readFileSync(file);
const headers = { 'content-type': 'application/json', 'content-length': answer.length };

createServer({ keepAliveTimeout: 65_000, noDelay: true }, (request, response) => {
  request.on('end', () => void response.writeHead(200, headers).end(answer));
  request.resume();
}).listen(Number(port), '127.0.0.1', 4_096);
endWithStdin();
