import type { OrganisationId } from '@patchbay/contracts';
import type { Bus, Topic } from '@patchbay/ports';
import { createKeyring } from '@patchbay/vault';
import { expect, test } from 'vitest';
import { makeEndedSessions } from './ended-sessions.ts';

const ORGANISATION = '00000000-0000-4000-8000-000000000001' as OrganisationId;
const KEYRING = createKeyring([Buffer.alloc(32, 1)]);

type Listener = Parameters<Bus['subscribe']>[1];

function fakeBus(): { bus: Pick<Bus, 'publish' | 'subscribe'>; said: [Topic, string][]; listeners: Listener[] } {
  const said: [Topic, string][] = [];
  const listeners: Listener[] = [];
  const bus = {
    async publish(topic: Topic, message: string) {
      said.push([topic, message]);
      for (const listener of listeners) listener.onMessage(message);
    },
    async subscribe(_topic: Topic, listener: Listener) {
      listeners.push(listener);
      return { close: async () => undefined };
    },
  };
  return { bus, said, listeners };
}

test('an end is heard by the other pods; its key is nowhere to be read on the bus', async () => {
  const { bus, said } = fakeBus();
  const ended: string[] = [];
  await makeEndedSessions({ bus, keyring: KEYRING }).listen({ onEnded: (_organisationId, key) => ended.push(key), onGap: () => undefined });
  await makeEndedSessions({ bus, keyring: KEYRING }).announce({ organisationId: ORGANISATION, key: 'the-key' });
  expect(ended).toEqual(['the-key']);
  expect(said[0]?.[0]).toBe('sessions');
  expect(said[0]?.[1]).not.toContain('the-key');
});

test('whoever has not the fleet’s key ends no session, and nonsense is let go', async () => {
  const { bus, listeners } = fakeBus();
  const ended: string[] = [];
  await makeEndedSessions({ bus, keyring: KEYRING }).listen({ onEnded: (_organisationId, key) => ended.push(key), onGap: () => undefined });
  await makeEndedSessions({ bus, keyring: createKeyring([Buffer.alloc(32, 2)]) }).announce({ organisationId: ORGANISATION, key: 'x' });
  for (const message of ['', '{}', 'a.b.c', '\u0000']) listeners[0]?.onMessage(message);
  expect(ended).toEqual([]);
});
