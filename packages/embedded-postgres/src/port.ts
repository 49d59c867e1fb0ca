import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const STATE_FILE = 'patchbay-port';

/** The port this cluster had last, if nobody has it now; otherwise a random free one. Remembered in the data folder. */
export async function choosePort(dataDir: string, avoid: number | null = null): Promise<number> {
  const last = readLastPort(dataDir);
  const port = last !== null && last !== avoid && (await isFree(last)) ? last : await freePort();
  if (port !== last) writeFileSync(join(dataDir, STATE_FILE), `${port}\n`);
  return port;
}

function readLastPort(dataDir: string): number | null {
  try {
    const port = Number(readFileSync(join(dataDir, STATE_FILE), 'utf8'));
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
  } catch {
    return null;
  }
}

function isFree(port: number): Promise<boolean> {
  return listenOnce(port).then(
    () => true,
    () => false,
  );
}

function freePort(): Promise<number> {
  return listenOnce(0);
}

function listenOnce(port: number): Promise<number> {
  const server = createServer();
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}
