import type { OrganisationId } from '@patchbay/contracts';
import type { Bus } from '@patchbay/ports';
import { type Keyring, open, seal } from '@patchbay/vault';

export type EndedSessionsDeps = {
  readonly bus: Pick<Bus, 'publish' | 'subscribe'>;
  /** The fleet's session sealing keys: nobody else can say that a session has ended. */
  readonly keyring: Keyring;
};

type Ended = { readonly organisationId: OrganisationId; readonly key: string };

/** How pods tell each other that a client ended its session: those that have it open answer from memory and would not notice. */
export type EndedSessions = {
  announce(session: Ended): Promise<void>;
  /** `onGap`: after each (re)connection, when an end may have been missed. An old or repeated message tells what is so anyway. */
  listen(heard: { onEnded(organisationId: OrganisationId, key: string): void; onGap(): void }): Promise<void>;
};

const CONTEXT = ['session-end'];

export function makeEndedSessions({ bus, keyring }: EndedSessionsDeps): EndedSessions {
  const keys = keyring.derive('session-end');
  return {
    announce: ({ key, organisationId }) => bus.publish('sessions', seal(keys, JSON.stringify([organisationId, key]), CONTEXT)),
    async listen({ onEnded, onGap }) {
      const onMessage = (message: string): void => {
        const opened = open(keys, message, CONTEXT);
        if (opened === null) return;
        // The seal vouches for the form: only we write it.
        const [organisationId, key] = JSON.parse(opened.toString('utf8')) as [OrganisationId, string];
        onEnded(organisationId, key);
      };
      await bus.subscribe('sessions', { onMessage, onGap });
    },
  };
}
