import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';

/** Connects the official client, whose transport leaves no place for headers: only a browser lacks them. One at a time. */
export async function connectOverWebSocket(client: Client, url: string, user = 'ada'): Promise<void> {
  const Native = globalThis.WebSocket;
  globalThis.WebSocket = class extends Native {
    constructor(address: string, protocols: string) {
      super(address, { protocols, headers: { authorization: `Bearer ${user}` } } as unknown as string);
    }
  } as typeof Native;
  try {
    await client.connect(new WebSocketClientTransport(new URL(url)));
  } finally {
    globalThis.WebSocket = Native;
  }
}
