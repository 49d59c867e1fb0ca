import { type AnswerEarlyDeps, makeAnswerEarly } from './answer-early.ts';
import { type AttachCredentialDeps, makeAttachCredential } from './attach-credential.ts';
import { type AuthenticateDeps, makeAuthenticate } from './authenticate.ts';
import { authorize } from './authorize.ts';
import type { Step } from './context.ts';
import { type DispatchDeps, makeDispatch } from './dispatch.ts';
import { inspectRequest } from './inspect-request.ts';
import { inspectResponse } from './inspect-response.ts';
import { makeRead, type ReadDeps } from './read.ts';
import { makeReceive, type ReceiveDeps } from './receive.ts';
import { makeRoute, type RouteDeps } from './route.ts';
import { makeThrottle, type ThrottleDeps } from './throttle.ts';

export type PipelineDeps = {
  readonly receive: ReceiveDeps;
  readonly authenticate: AuthenticateDeps;
  readonly read: ReadDeps;
  readonly route: RouteDeps;
  readonly throttle: ThrottleDeps;
  readonly answerEarly: AnswerEarlyDeps;
  readonly attachCredential: AttachCredentialDeps;
  readonly dispatch: DispatchDeps;
};

/** One message through the gateway, in this order. docs/architecture/request-flow.md tells the same story; a test compares. */
export const PIPELINE = {
  receive: (deps: PipelineDeps): Step => makeReceive(deps.receive), // request line, Host, Origin; no body yet
  authenticate: (deps: PipelineDeps): Step => makeAuthenticate(deps.authenticate), // bearer token → principal, from headers alone
  read: (deps: PipelineDeps): Step => makeRead(deps.read), // body → one scanned JSON-RPC message, its era, its session
  route: (deps: PipelineDeps): Step => makeRoute(deps.route), // endpoint + name → target
  authorize: (): Step => authorize, // the compiled grants decide
  throttle: (deps: PipelineDeps): Step => makeThrottle(deps.throttle), // limits
  'inspect-request': (): Step => inspectRequest, // policies on arguments
  'answer-early': (deps: PipelineDeps): Step => makeAnswerEarly(deps.answerEarly), // lists, discovery, sessions, notifications
  'attach-credential': (deps: PipelineDeps): Step => makeAttachCredential(deps.attachCredential), // the upstream's own credential
  dispatch: (deps: PipelineDeps): Step => makeDispatch(deps.dispatch), // one attempt, bytes stream through
  'inspect-response': (): Step => inspectResponse, // policies on answers
} as const;

/** The last step runs whatever happened before it: run.ts calls it in its `finally`. */
export const FINAL_STEP = 'record';

export function makePipeline(deps: PipelineDeps): readonly Step[] {
  return Object.values(PIPELINE).map((make) => make(deps));
}
