/** Who has to act on an error: the caller, an admin of the organisation, the upstream server, or we. */
export type Owner = 'caller' | 'admin' | 'upstream' | 'patchbay';

export type CatalogRow = {
  /** HTTP status when it is answered as HTTP (API, or before a JSON-RPC message stands). */
  readonly http: number;
  /** JSON-RPC code when it is answered as JSON-RPC. Our own lie outside −32768…−32000 (protocol.md §1.2). */
  readonly rpc: number;
  readonly owner: Owner;
  /** The public sentence. What is specific goes into the detail. */
  readonly say: string;
};

/** Every refusal and fault Patchbay answers with. Codes, statuses and numbers are wire surface: pinned by a test. */
export const catalog = {
  // who is asking
  'auth.invalid_token': { http: 401, rpc: -31401, owner: 'caller', say: 'The access token is missing, unknown, expired or revoked.' },
  'auth.unavailable': {
    http: 503,
    rpc: -31503,
    owner: 'patchbay',
    say: 'The access token cannot be checked right now. Try again shortly.',
  },
  'auth.sign_in_failed': { http: 401, rpc: -31401, owner: 'caller', say: 'The organisation, email or password is wrong.' },
  'auth.signed_out': { http: 401, rpc: -31401, owner: 'caller', say: 'Sign in, or send an API token as a bearer.' },
  'auth.forbidden': { http: 403, rpc: -31403, owner: 'caller', say: 'You are not allowed to do this.' },
  'auth.recent_sign_in_required': {
    http: 403,
    rpc: -31403,
    owner: 'caller',
    say: 'Sign in again: this change needs a session signed in within the last 15 minutes.',
  },
  'auth.too_many_attempts': { http: 429, rpc: -31429, owner: 'caller', say: 'Too many attempts. Wait before trying again.' },
  'auth.cross_site': {
    http: 403,
    rpc: -31403,
    owner: 'caller',
    say: 'A request with a session cookie must come from the same origin and carry the Patchbay-Request header.',
  },
  // the HTTP request
  'http.host': { http: 421, rpc: -31421, owner: 'caller', say: 'This listener does not serve that Host.' },
  'http.tls_required': {
    http: 403,
    rpc: -31403,
    owner: 'caller',
    say: 'This address is served over TLS alone. A proxy in front of it has to say X-Forwarded-Proto: https.',
  },
  'http.origin': { http: 403, rpc: -31403, owner: 'caller', say: 'This Origin is not allowed.' },
  'http.not_found': { http: 404, rpc: -31404, owner: 'caller', say: 'There is nothing at this address.' },
  'http.method': { http: 405, rpc: -31405, owner: 'caller', say: 'This address does not take that method.' },
  'http.media_type': { http: 415, rpc: -31415, owner: 'caller', say: 'Send a JSON body with Content-Type: application/json.' },
  'http.not_acceptable': { http: 406, rpc: -31406, owner: 'caller', say: 'Accept must list application/json and text/event-stream.' },
  'http.body_too_large': { http: 413, rpc: -31413, owner: 'caller', say: 'The body is larger than this server takes.' },
  'http.body_timeout': { http: 408, rpc: -31408, owner: 'caller', say: 'The body did not arrive in time.' },
  'http.overloaded': { http: 503, rpc: -31503, owner: 'patchbay', say: 'Too busy. Try again shortly.' },
  // the JSON-RPC message
  'rpc.parse': { http: 400, rpc: -32700, owner: 'caller', say: 'The body is not JSON.' },
  'rpc.invalid': { http: 400, rpc: -32600, owner: 'caller', say: 'The body is not one JSON-RPC 2.0 message.' },
  'rpc.batch': { http: 400, rpc: -32600, owner: 'caller', say: 'Batches are not supported: send one message a request.' },
  'rpc.ambiguous': { http: 400, rpc: -32600, owner: 'caller', say: 'The message has duplicate or look-alike keys.' },
  'rpc.too_complex': { http: 400, rpc: -32600, owner: 'caller', say: 'The message is nested too deeply or has too many elements.' },
  'rpc.params': { http: 400, rpc: -32602, owner: 'caller', say: 'The parameters are not valid.' },
  'rpc.header_mismatch': { http: 400, rpc: -32020, owner: 'caller', say: 'A header is missing or contradicts the body.' },
  'rpc.capability_missing': {
    http: 400,
    rpc: -32021,
    owner: 'caller',
    say: 'The client did not declare a capability that this request needs.',
  },
  'rpc.unsupported_version': { http: 400, rpc: -32022, owner: 'caller', say: 'This protocol version is not supported.' },
  'rpc.method_unknown': { http: 404, rpc: -32601, owner: 'caller', say: 'Method not found.' },
  'session.gone': { http: 404, rpc: -31404, owner: 'caller', say: 'This session does not exist or has ended. Initialize again.' },
  'stream.position': { http: 400, rpc: -31400, owner: 'caller', say: 'The stream cannot be resumed from this event.' },
  'stream.taken': { http: 409, rpc: -31409, owner: 'caller', say: 'This session has such a stream open already.' },
  'answer.unexpected': {
    http: 400,
    rpc: -31410,
    owner: 'caller',
    say: 'Nobody waits for this answer: the call that asked has ended, or the gateway that held it has stopped and the call with it.',
  },
  'stream.limit': { http: 429, rpc: -31429, owner: 'caller', say: 'As many streams are open as one user, or your organisation, may have.' },
  // what is asked for (unknown and not granted are one answer)
  'endpoint.forbidden': { http: 403, rpc: -31403, owner: 'caller', say: 'There is no such server, or you may not use it.' },
  'tool.unknown': { http: 200, rpc: -32602, owner: 'caller', say: 'Unknown tool.' },
  'tool.ambiguous': {
    http: 200,
    rpc: -32602,
    owner: 'caller',
    say: 'Several servers offer a tool of this name: use one of the full names.',
  },
  'prompt.unknown': { http: 200, rpc: -32602, owner: 'caller', say: 'Unknown prompt.' },
  'resource.unknown': { http: 200, rpc: -32602, owner: 'caller', say: 'Resource not found.' },
  'resource.ambiguous': {
    http: 200,
    rpc: -32602,
    owner: 'caller',
    say: 'Several servers offer this resource: use one of the full URIs.',
  },
  'completion.unknown': { http: 200, rpc: -32602, owner: 'caller', say: 'Unknown completion reference.' },
  'task.unknown': { http: 200, rpc: -32602, owner: 'caller', say: 'Unknown task.' },
  'cursor.invalid': { http: 200, rpc: -32602, owner: 'caller', say: 'Invalid cursor.' },
  'limit.exceeded': { http: 200, rpc: -31429, owner: 'caller', say: 'A limit of your organisation is reached.' },
  // the other side of us
  'upstream.unreachable': { http: 200, rpc: -31502, owner: 'upstream', say: 'The MCP server could not be reached.' },
  'upstream.timeout': { http: 200, rpc: -31504, owner: 'upstream', say: 'The MCP server did not answer in time.' },
  'upstream.broken': { http: 200, rpc: -31505, owner: 'upstream', say: 'The MCP server gave an answer that is not MCP.' },
  'upstream.refused': { http: 200, rpc: -31506, owner: 'admin', say: 'The MCP server refused our credential.' },
  'upstream.era': {
    http: 200,
    rpc: -31507,
    owner: 'patchbay',
    say: 'The answer cannot be carried between these protocol revisions.',
  },
  'upstream.egress': { http: 200, rpc: -31508, owner: 'admin', say: 'The address of this MCP server may not be reached from here.' },
  'upstream.credential_unavailable': {
    http: 200,
    rpc: -31509,
    owner: 'patchbay',
    say: 'The credential for this MCP server cannot be had right now.',
  },
  'upstream.call_lost': {
    http: 200,
    rpc: -31515,
    owner: 'upstream',
    say: 'The call waited for an answer and cannot be continued. It may have run in part: call again if that is safe.',
  },
  'upstream.capability_missing': {
    http: 200,
    rpc: -31517,
    owner: 'caller',
    say: 'The MCP server needs something that this client does not offer.',
  },
  'upstream.unanswered': {
    http: 200,
    rpc: -31518,
    owner: 'caller',
    say: 'The MCP server asked this client for something and got no answer to go on with.',
  },
  'stdio.limit': { http: 503, rpc: -31510, owner: 'admin', say: 'No further stdio process may be started.' },
  'stdio.start_failed': { http: 502, rpc: -31511, owner: 'upstream', say: 'The stdio server could not be started.' },
  'stdio.launch_unavailable': {
    http: 503,
    rpc: -31512,
    owner: 'patchbay',
    say: 'What to run for this stdio server cannot be had right now. Try again shortly.',
  },
  'stdio.launch_gone': {
    http: 404,
    rpc: -31513,
    owner: 'caller',
    say: 'This stdio server, or this generation of it, does not exist any more.',
  },
  'stdio.stopping': {
    http: 503,
    rpc: -31514,
    owner: 'patchbay',
    say: 'The stdio host is shutting down and starts nothing any more.',
  },
  // the API
  'api.validation': { http: 400, rpc: -32602, owner: 'caller', say: 'The request is not valid.' },
  'api.not_found': { http: 404, rpc: -31404, owner: 'caller', say: 'Not found.' },
  'api.conflict': { http: 409, rpc: -31409, owner: 'caller', say: 'This is taken, or was changed meanwhile.' },
  'api.too_many': { http: 409, rpc: -31409, owner: 'admin', say: 'Your organisation has as many of these as it may have.' },
  'stdio.not_allowed': {
    http: 403,
    rpc: -31403,
    owner: 'admin',
    say: 'Registering a stdio server runs a program on this installation; you may not do that here.',
  },
  // ours
  'staleness.exceeded': {
    http: 503,
    rpc: -31503,
    owner: 'patchbay',
    say: 'No news from the control plane for too long. Try again shortly.',
  },
  internal: { http: 500, rpc: -31500, owner: 'patchbay', say: 'Something went wrong on our side.' },
} as const satisfies Record<string, CatalogRow>;

export type ErrorCode = keyof typeof catalog;
