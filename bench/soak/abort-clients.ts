import { connect } from 'node:net';
import { type HttpMessage, rawBytes } from '../load/http-message.ts';

const EVERY_MS = 20;

/** Clients that ask and leave before they are answered, one after another for so many seconds. */
export async function abortClients(port: number, messages: readonly HttpMessage[], seconds: number): Promise<void> {
  const rounds = (seconds * 1_000) / EVERY_MS;
  for (let k = 0; k < rounds; k += 1) {
    const message = messages[k % messages.length];
    if (message === undefined) return;
    const socket = connect(port, '127.0.0.1', () => socket.write(rawBytes(port, message), () => socket.destroy()));
    socket.on('error', () => undefined);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
