import { createServer, type AddressInfo, type Socket } from 'node:net';

/** What a client does on its way in. Everything else is denied. */
const TAKEN = ['CLIENT', 'SELECT'];

/** Stands for a Redis that cannot be had here: speaks enough of its protocol to say which version it is. */
export async function redisThatSays(version: string): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const info = `# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n`;
  const answer = (command: string): string => {
    // Before 6 there is none, and clients speak as they did then.
    if (command === 'HELLO' && Number.parseInt(version, 10) < 6) return "-ERR unknown command 'HELLO', with args beginning with: '3'\r\n";
    if (command === 'INFO') return `$${Buffer.byteLength(info)}\r\n${info}\r\n`;
    if (command === 'HELLO') return `%1\r\n$7\r\nversion\r\n$${version.length}\r\n${version}\r\n`;
    return TAKEN.includes(command) ? '+OK\r\n' : '-NOPERM this user has no permissions to run the command\r\n';
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      // An array of bulk strings, of which the first is the command.
      for (const [, command = ''] of chunk.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) socket.write(answer(command.toUpperCase()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
