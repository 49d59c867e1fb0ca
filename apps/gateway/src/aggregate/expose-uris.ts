import { exposedUri, type ScannedMessage, type Selector, selectStrings, splice } from '@patchbay/mcp-wire';
import type { InputRequired } from '../upstream/rounds/input-required.ts';

/** An object whose named members are followed. */
function members(named: Record<string, Selector>): Selector {
  return { members: new Map(Object.entries(named)) };
}

const URI: Selector = { isWanted: true };

/** A content block: `resource_link`, embedded `resource`, and `tool_result` with blocks of its own. */
const BLOCK_MEMBERS = new Map<string, Selector>([
  ['uri', URI],
  ['resource', members({ uri: URI })],
]);
const BLOCK: Selector = { members: BLOCK_MEMBERS };
/** One block, or a list of them. */
const BLOCKS: Selector = { members: BLOCK_MEMBERS, each: BLOCK };
BLOCK_MEMBERS.set('content', { each: BLOCK });

const MESSAGES: Selector = { each: members({ content: BLOCKS }) };
/** Where a tool names its page, in the present form and in the one before (protocol.md §1.9). */
const APP_META = members({ ui: members({ resourceUri: URI }), 'ui/resourceUri': URI });
const INPUT_PARAMS = members({ messages: MESSAGES });
const INPUT_REQUESTS: Selector = { each: members({ params: INPUT_PARAMS }) };

const RESULT_MEMBERS = new Map<string, Selector>([
  ['content', { each: BLOCK }],
  ['contents', { each: members({ uri: URI }) }],
  ['messages', MESSAGES],
  ['inputRequests', INPUT_REQUESTS],
  ['_meta', APP_META],
]);
// A task that has completed carries the result of its call.
RESULT_MEMBERS.set('result', { members: RESULT_MEMBERS });

const ANSWER = members({ result: { members: RESULT_MEMBERS }, error: members({ data: members({ uri: URI }) }) });

/** What else a server sends that holds URIs of its own; `structuredContent`, arguments and text are data, not ours to change. */
const BY_METHOD: ReadonlyMap<string, Selector> = new Map([
  ['sampling/createMessage', members({ params: INPUT_PARAMS })],
  ['notifications/resources/updated', members({ params: members({ uri: URI }) })],
  ['notifications/tasks', members({ params: { members: RESULT_MEMBERS } })],
]);

/** A tool's definition. */
const DEFINITION = members({ _meta: APP_META });

/** What a server's own URI is called on the endpoint. */
export type Expose = (original: string) => string;

/** A message of a server for a client of the aggregated endpoint, with the server's URIs as they are exposed there (protocol.md trap 5). */
export function exposeUris(bytes: Buffer, { kind, method }: Pick<ScannedMessage, 'kind' | 'method'>, expose: Expose): Buffer {
  const selector = kind === 'response' ? ANSWER : BY_METHOD.get(method);
  return selector === undefined ? bytes : exposeSelected(bytes, selector, expose);
}

/** The same for what a client is asked before there is an answer. */
export function exposeInputRequests({ requests, requestState }: InputRequired, expose: Expose): InputRequired {
  const exposed = requests.map(({ params, ...request }) => ({
    ...request,
    params: params === null ? null : exposeSelected(params, INPUT_PARAMS, expose),
  }));
  return { requests: exposed, requestState };
}

/** A tool's definition with its page's URI as it is exposed on the aggregated endpoint. */
export function exposeAppUri(definition: Buffer, serverSlug: string): Buffer {
  return exposeSelected(definition, DEFINITION, (uri) => exposedUri(serverSlug, uri));
}

/** The pages that a tool's definition names; each once or twice, in the form of its day. */
export function appUriOf(definition: Buffer): readonly string[] {
  return hasUriKey(definition) ? [...new Set(selectStrings(definition, DEFINITION).map(({ text }) => text))] : [];
}

const URI_KEYS = [Buffer.from('uri"'), Buffer.from('Uri"')];

function exposeSelected(bytes: Buffer, selector: Selector, expose: Expose): Buffer {
  // Most messages hold no URI: a search for the keys costs a fraction of a walk. A key in escapes is not renamed.
  if (!hasUriKey(bytes)) return bytes;
  const edits = selectStrings(bytes, selector).map(({ span, text }) => ({ ...span, replacement: JSON.stringify(expose(text)) }));
  return edits.length === 0 ? bytes : splice(bytes, edits);
}

function hasUriKey(bytes: Buffer): boolean {
  return URI_KEYS.some((key) => bytes.includes(key));
}
