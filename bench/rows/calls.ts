import { randomBytes, randomUUID } from 'node:crypto';
import { TokenId } from '@patchbay/contracts';
import { mintToken } from '@patchbay/tokens';
import { type Answer, type HttpMessage, send } from '../load/http-message.ts';
import { type Caller, legacyCall, legacyInitialize, modernCall, resultText } from '../load/mcp-messages.ts';
import type { Subject } from '../measure/rounds.ts';
import { NOT_GRANTED, type Organisation } from '../organisation/organisation.ts';
import { UPSTREAM_PATHS } from '../stage/nginx.ts';
import { CALLERS, type Cast, KIND, ORGANISATION_SLUG, toolOf } from './cast.ts';

/** A subject by its name, made when it is measured. */
export type SubjectMaker = (cast: Cast) => Promise<Subject>;

/** Every call of 1 KB that rows compare. */
export const CALL_SUBJECTS: Readonly<Record<string, SubjectMaker>> = {
  'bare proxy': async (cast) => answeredBy('bare proxy', await cast.bareProxy(), await serverCalls(cast)),
  nginx: async (cast) => answeredBy('nginx', await cast.nginxProxy(), await serverCalls(cast)),
  'upstream itself': async (cast) => {
    const messages = (await serverCalls(cast)).map((message) => ({ ...message, path: UPSTREAM_PATHS.modern }));
    return answeredBy('upstream itself', cast.stage.upstream, messages);
  },
  'own endpoint': async (cast) => answeredBy('own endpoint', await gatewayOf(cast), await serverCalls(cast)),
  'aggregated endpoint': async (cast) => answeredBy('aggregated endpoint', await gatewayOf(cast), await aggregatedCalls(cast)),
  session: async (cast) => ({
    ...answeredBy('session', await gatewayOf(cast), await sessionCalls(cast)),
    accepts: says(resultText('legacy')),
  }),
  'not granted': async (cast) => {
    const messages = await callsOf(cast, KIND.calls, () => NOT_GRANTED);
    return { name: 'not granted', ...(await gatewayOf(cast)), messages, accepts: hasCode('tool.unknown') };
  },
  'over a limit': async (cast) => {
    const messages = await callsOf(cast, KIND.limited, toolOf);
    const listener = await gatewayOf(cast);
    // The one call that the limit lets through.
    for (const message of messages.slice(0, 2)) await send(listener.port, message);
    return { name: 'over a limit', ...listener, messages, accepts: hasCode('limit.exceeded') };
  },
  'bad token': async (cast) => {
    const tagKey = randomBytes(32);
    const messages = (await serverCalls(cast)).map((message) => withToken(message, inventedToken(tagKey)));
    return { name: 'bad token', ...(await gatewayOf(cast)), messages, isRefused: true, accepts: hasCode('auth.invalid_token') };
  },
  'own endpoint of an SDK server': async (cast) => {
    const messages = await callsOf(cast, KIND.sdk, () => toolOf(0));
    return { name: 'own endpoint of an SDK server', ...(await gatewayOf(cast)), messages, accepts: hasResult };
  },
  'bare proxy to an SDK server': async (cast) => {
    const messages = await callsOf(cast, KIND.sdk, () => toolOf(0));
    const listener = await cast.proxy('bare-proxy', await cast.sdkUpstream(), '/mcp');
    return { name: 'bare proxy to an SDK server', ...listener, messages, accepts: hasResult };
  },
};

function answeredBy(name: string, { pids, port }: { port: number; pids: readonly number[] }, messages: readonly HttpMessage[]): Subject {
  return { name, port, pids, messages, accepts: says(resultText('modern')) };
}

const says =
  (text: string) =>
  (answer: Answer): boolean =>
    answer.status === 200 && answer.text === text;

const hasCode =
  (code: string) =>
  (answer: Answer): boolean =>
    answer.text.includes(`"code":"${code}"`);

const hasResult = ({ status, text }: Answer): boolean => status === 200 && text.includes('"result":{') && !text.includes('"isError":true');

async function gatewayOf(cast: Cast): Promise<{ port: number; pids: readonly number[] }> {
  const { gateway } = await cast.everything();
  return { port: gateway.port, pids: [gateway.pid] };
}

const serverCalls = (cast: Cast): Promise<readonly HttpMessage[]> => callsOf(cast, KIND.calls, toolOf);

/** A call of each caller, at a server of its own where there are as many. */
async function callsOf(cast: Cast, kind: string, tool: (k: number) => string): Promise<readonly HttpMessage[]> {
  const { organisation } = await cast.everything();
  return callers(organisation, kind).map((caller, k) => modernCall(caller, tool(k)));
}

/** Each caller, at the own endpoint of a server of this kind. */
export function callers({ members, servers }: Organisation, kind: string): readonly Caller[] {
  const slugs = servers.map(({ slug }) => slug as string).filter((slug) => slug.startsWith(`${kind}-`));
  return members.slice(0, CALLERS).map(({ token }, k) => ({ token, path: `/${ORGANISATION_SLUG}/${slugs[k % slugs.length]}/mcp` }));
}

async function aggregatedCalls(cast: Cast): Promise<readonly HttpMessage[]> {
  const { organisation } = await cast.everything();
  const path = `/${ORGANISATION_SLUG}/mcp`;
  return organisation.members.map(({ token }, k) => modernCall({ path, token }, `${KIND.calls}-${k % CALLERS}_${toolOf(k)}`));
}

/** A call on a session of each caller; the sessions are opened here. */
async function sessionCalls(cast: Cast): Promise<readonly HttpMessage[]> {
  const { gateway, organisation } = await cast.everything();
  return Promise.all(
    callers(organisation, KIND.legacy).map(async (caller, k) => legacyCall(caller, await openSession(gateway.port, caller), toolOf(k))),
  );
}

/** The sealed id that a gateway gives to a client with sessions. */
export async function openSession(port: number, caller: Caller): Promise<string> {
  const answer = await send(port, legacyInitialize(caller));
  const session = answer.headers.get('mcp-session-id');
  if (session === null) throw new Error(`initialize was answered with HTTP ${answer.status}: ${answer.text.slice(0, 600)}`);
  return session;
}

/** Well-formed, checksum and all, and marked under a key that is nobody's. */
export function inventedToken(tagKey: Buffer): string {
  return mintToken('pbpat', TokenId.parse(randomUUID()), tagKey);
}

function withToken(message: HttpMessage, token: string): HttpMessage {
  return { ...message, headers: { ...message.headers, authorization: `Bearer ${token}` } };
}
