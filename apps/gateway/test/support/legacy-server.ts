import type { Listening } from '@patchbay/testkit';
import type { ServerSpec } from './snapshot.ts';

/** The fixture of servers with sessions as a registration; the same one for all gateways of a test. */
export function oldServer({ url }: Pick<Listening, 'url'>): ServerSpec {
  return { id: '6f5c1a52-0c8e-4a35-9d0f-6f5a2f3b7c11', slug: 'old', url, era: 'legacy', tools: ['count', 'echo', 'sleep', 'steps'] };
}

export type InitializeOptions = {
  readonly protocolVersion?: string;
  readonly capabilities?: object;
  readonly user?: string;
  /** Through a balancer, say. */
  readonly fetch?: typeof fetch;
};

/** Opens a session without any client in between; its id, or an empty text when there is none. */
export async function initialize(url: string | URL, options: InitializeOptions = {}): Promise<string> {
  const { capabilities = {}, protocolVersion = '2025-11-25', user = 'ada' } = options;
  const params = { protocolVersion, capabilities, clientInfo: { name: 'raw', version: '1' } };
  const response = await (options.fetch ?? fetch)(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${user}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }),
  });
  await response.text();
  return response.headers.get('mcp-session-id') ?? '';
}
