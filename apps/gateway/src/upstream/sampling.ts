import type { Sampling } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import { isObject, type ScannedMessage, sliceMember, sliceMembers, splice, withoutMembers } from '@patchbay/mcp-wire';
import type { ClientSession } from '../sessions/client-session.ts';
import type { Refused } from './asking/takes-no-requests.ts';

/** How a server asks its client's model: it spends the client's money (protocol.md trap 26). */
export const SAMPLING = 'sampling/createMessage';

/** What a server is told that is not to ask it. */
export const SAMPLING_REFUSED: Refused = { code: -32601, message: 'This server may not ask its clients for completions.' };

const CAPABILITY: ReadonlySet<string> = new Set(['sampling']);
const KEY = Buffer.from('"sampling"');

/** Client capabilities as a server may know them; the same bytes where nothing is kept from it. */
export function capabilitiesFor(sampling: Sampling, capabilities: Buffer): Buffer {
  if (sampling === 'relayed' || !capabilities.includes(KEY)) return capabilities;
  return withoutMembers(capabilities, CAPABILITY) ?? capabilities;
}

/** The same of JSON text. */
export function capabilitiesTextFor(sampling: Sampling, capabilities: string): string {
  return sampling === 'relayed' ? capabilities : capabilitiesFor(sampling, Buffer.from(capabilities)).toString('utf8');
}

/** Whether a request of a server may be passed on to its client. */
export function mayAsk(sampling: Sampling, { method }: Pick<ScannedMessage, 'method'>): boolean {
  return sampling === 'relayed' || method !== SAMPLING;
}

/** An answer of a modern server that asks for a completion which it may not have: a refusal. Everything else: null. */
export function samplingAsked(sampling: Sampling, answer: Buffer, slug: string): Refusal | null {
  if (sampling === 'relayed') return null;
  const asked = (sliceMembers(answer, ['result', 'inputRequests']) ?? []).some(({ valueSpan }) => {
    const request: unknown = JSON.parse(answer.toString('utf8', valueSpan.start, valueSpan.end));
    return isObject(request) && request['method'] === SAMPLING;
  });
  return asked ? refuseSampling(slug) : null;
}

/** What the caller is told whose call cannot go on without. */
export function refuseSampling(slug: string): Refusal {
  return refusal('upstream.capability_missing', `Server "${slug}" asks for a completion, which it may not ask its clients for.`);
}

/** Before 2025-11-25 a client could not say that it gives servers the context of others. */
const CONTEXT_SINCE = '2025-11-25';

/** Who is asked; `serverId` null: at the aggregated endpoint, where a client takes all servers for one, so that the context of "this server" would be everybody's. */
export type SamplingClient = Pick<ClientSession, 'capabilities' | 'protocolVersion'> & { readonly serverId: string | null };

/** A server's request for a completion, without the context of others where its client gives none; other messages as they are. */
export function withoutContext(bytes: Buffer, { method }: Pick<ScannedMessage, 'method'>, client: SamplingClient): Buffer {
  return method === SAMPLING ? withoutContextAt(bytes, ['params', 'includeContext'], client) : bytes;
}

/** The same of its parameters. */
export function paramsWithoutContext(params: Buffer, client: SamplingClient): Buffer {
  return withoutContextAt(params, ['includeContext'], client);
}

function withoutContextAt(bytes: Buffer, path: readonly string[], client: SamplingClient): Buffer {
  const span = sliceMember(bytes, path);
  if (span === null || givesContext(client)) return bytes;
  return splice(bytes, [{ ...span, replacement: '"none"' }]);
}

function givesContext({ capabilities, protocolVersion, serverId }: SamplingClient): boolean {
  if (serverId === null) return false;
  const { sampling } = JSON.parse(capabilities) as { sampling?: unknown };
  return isObject(sampling) && (sampling['context'] !== undefined || protocolVersion < CONTEXT_SINCE);
}
