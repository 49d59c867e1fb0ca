import type { SessionState, Subscription } from './session-states.ts';

/** Of one session; of more the oldest are forgotten, and not made again when a server loses its session. */
const SUBSCRIPTIONS_MAX = 1_000;

const EDITS: Readonly<Record<string, (subscriptions: readonly Subscription[], one: Subscription) => readonly Subscription[]>> = {
  'resources/subscribe': (subscriptions, one) => [...without(subscriptions, one), one].slice(-SUBSCRIPTIONS_MAX),
  'resources/unsubscribe': without,
};

/** What such a request changes in its client's session; null: it is about something else. */
export function subscriptionEdit(method: string, one: Subscription): ((state: SessionState) => SessionState) | null {
  const edit = Object.hasOwn(EDITS, method) ? EDITS[method] : undefined;
  return edit === undefined ? null : (state) => ({ ...state, subscriptions: edit(state.subscriptions, one) });
}

function without(subscriptions: readonly Subscription[], { serverId, uri }: Subscription): readonly Subscription[] {
  return subscriptions.filter((each) => each.serverId !== serverId || each.uri !== uri);
}
