import type { IncomingMessage } from 'node:http';
import type { TrustedProxies } from '@patchbay/listening';

/** Who holds a connection: what its request said of itself goes with each message that comes over it. */
export type Caller = {
  /** The endpoint's own address: the path ends with `mcp`. */
  readonly path: string;
  /** Names and values as received, repeated ones too: two tokens are as wrong here as anywhere. */
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
};

export type Transport = 'sse' | 'messages' | 'ws';

const ADDRESS = /^((?:\/[a-z][a-z0-9-]{0,30}){1,2})\/(sse|messages|ws)(?:\?|$)/;
const CARRIED = new Set(['origin', 'authorization', 'user-agent']);

/** Which transport a path names, and of which endpoint; null for all others. */
export function transportOf(url: string): { readonly transport: Transport; readonly path: string } | null {
  const [, endpoint, transport] = ADDRESS.exec(url) ?? [];
  return endpoint === undefined || transport === undefined ? null : { transport: transport as Transport, path: `${endpoint}/mcp` };
}

/** The caller as far as listed proxies say who it is and what it asked for. */
export function callerOf(request: IncomingMessage, path: string, proxies: TrustedProxies): Caller {
  const { rawHeaders } = request;
  const carried = ['host', proxies.host(request) ?? ''];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2);
    if (CARRIED.has(name.toLowerCase())) carried.push(name, value);
  }
  return { path, rawHeaders: carried, remoteAddress: proxies.clientAddress(request) };
}

/** The same with this token, for a connection whose request could not carry one. */
export function withAuthorization(caller: Caller, authorization: string): Caller {
  return { ...caller, rawHeaders: [...caller.rawHeaders, 'authorization', authorization] };
}
