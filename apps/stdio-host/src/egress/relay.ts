// Runs inside a server's sandbox, in a network of its own: listens where the server will look for its targets and passes what it is
// sent to the gate outside. `node relay.js SOCKET ADDRESS PORT TARGET … -- COMMAND ARGUMENT …`; the server is its child, with its pipes.
import { spawn } from 'node:child_process';
// oxlint-disable-next-line house/no-dial -- it opens one socket file, whose other end is our own gate
import { connect, createServer } from 'node:net';
import process from 'node:process';

const [socketPath = '', ...rest] = process.argv.slice(2);
const end = rest.indexOf('--');
const [file = '', ...args] = rest.slice(end + 1);

for (let at = 0; at < end; at += 3) {
  const [address, port, target] = rest.slice(at, at + 3);
  const server = createServer({ allowHalfOpen: true }, (inside) => {
    const outside = connect({ path: socketPath, allowHalfOpen: true });
    outside.write(`${target}\n`);
    inside.pipe(outside).pipe(inside);
    inside.on('error', () => outside.destroy());
    outside.on('error', () => inside.destroy());
    outside.on('close', () => inside.destroy());
  });
  await new Promise<void>((ready) => server.once('error', () => ready()).listen(Number(port), address, ready));
}

const child = spawn(file, args, { stdio: 'inherit' });
// The gate's sockets are no reason to stay, and neither is a server that could not be started.
child.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(127);
});
child.on('exit', (code, signal) => {
  if (signal !== null) process.kill(process.pid, signal);
  process.exit(code ?? 1);
});
// The end of its input tells the server to stop, a signal does so too.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal));
