import { createHash } from 'node:crypto';
import type { MessageId } from '@patchbay/mcp-wire';
import { type Keyring, open, seal } from '@patchbay/vault';
import type { CallContext } from '../../pipeline/context.ts';
import type { UpstreamTarget } from '../bridge/make-bridge.ts';
import type { LocatedSession } from '../ways.ts';
import { canonicalJson } from './canonical-json.ts';
import type { QuestionMethod } from './question.ts';

/** A question that waits at the server. `request`: null when it is too large to be carried and asked again. */
export type WaitingQuestion = {
  readonly key: string;
  readonly id: string;
  readonly method: QuestionMethod;
  readonly request: string | null;
};

/** Where the server's stream of events goes on: after a number, on any pod; or in the hands of the pod that is reached by this address. */
export type Place = { readonly lastEventId: string } | { readonly address: string };

/** A call whose server waits for answers, as its `requestState` carries it: whichever pod gets them goes on from here. */
export type ParkedCall = {
  readonly session: LocatedSession;
  /** The id under which the server knows the call. */
  readonly upstreamId: MessageId;
  readonly place: Place;
  readonly questions: readonly WaitingQuestion[];
};

/** What a `requestState` of ours may say: a call waits at its server, or the call is made anew once these links were opened. */
export type RequestState =
  | { readonly kind: 'parked'; readonly call: ParkedCall }
  | { readonly kind: 'links'; readonly keys: readonly string[] };

/** People are slow; servers give up by themselves, most of them sooner. */
const LIFETIME_MS = 15 * 60_000;

export type RequestStates = {
  mint(ctx: CallContext, target: UpstreamTarget, state: RequestState): string;
  /** null: not ours, of another caller, endpoint, server or request, or too old. */
  open(ctx: CallContext, target: UpstreamTarget, text: string): RequestState | null;
};

type Sealed = readonly [expiresAtMs: number, state: RequestState];

/** Sealed under the fleet's keys and bound to caller, endpoint, server and what was asked: presented anywhere else it does not open. */
export function makeRequestStates(fleet: Keyring, clock: { nowMs(): number }): RequestStates {
  const keyring = fleet.derive('request-state');
  return {
    mint(ctx, target, state) {
      const sealed: Sealed = [clock.nowMs() + LIFETIME_MS, state];
      return seal(keyring, JSON.stringify(sealed), bindingOf(ctx, target));
    },
    open(ctx, target, text) {
      const plaintext = open(keyring, text, bindingOf(ctx, target));
      if (plaintext === null) return null;
      // The seal vouches for the form: only we write it.
      const [expiresAtMs, state] = JSON.parse(plaintext.toString('utf8')) as Sealed;
      return expiresAtMs > clock.nowMs() ? state : null;
    },
  };
}

function bindingOf({ body, endpointServer, message, principal }: CallContext, { server }: UpstreamTarget): string[] {
  if (message === null || principal === null) throw new TypeError('a call without a message or principal has no state');
  const { organisationId, userId } = principal;
  const { argumentsSpan, method, name, uri } = message;
  const args: unknown = argumentsSpan === null ? {} : JSON.parse(body.toString('utf8', argumentsSpan.start, argumentsSpan.end));
  const digest = createHash('sha256')
    .update(canonicalJson([method, name, uri, args]))
    .digest('base64url');
  return ['request-state', organisationId, endpointServer?.id ?? 'aggregate', userId, server.id, server.generation, digest];
}
