import type { Bus, SharedStore, Topic } from '@patchbay/ports';

type Listener = Parameters<Bus['subscribe']>[1];

/** A store that several gateways of one test share, as pods share theirs. Nothing expires. */
export function memoryStore(): SharedStore & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  const at = (organisationId: string, key: string): string => `${organisationId} ${key}`;
  return {
    values,
    get: async (organisationId, key) => values.get(at(organisationId, key)) ?? null,
    async setIfAbsent(organisationId, key, value) {
      const stands = values.get(at(organisationId, key)) ?? value;
      values.set(at(organisationId, key), stands);
      return stands;
    },
    async compareAndSet(organisationId, key, expected, value) {
      const stands = values.get(at(organisationId, key)) ?? null;
      if (stands === expected) values.set(at(organisationId, key), value);
      return stands === expected ? value : stands;
    },
    async set(organisationId, key, value) {
      values.set(at(organisationId, key), value);
    },
    async delete(organisationId, key) {
      values.delete(at(organisationId, key));
    },
    async append(organisationId, key, addition, charactersMax) {
      const stands = values.get(at(organisationId, key));
      if (stands === undefined) return 'absent';
      if (stands.length + addition.length > charactersMax) return 'full';
      values.set(at(organisationId, key), stands + addition);
      return 'appended';
    },
    async take(organisationId, key) {
      const stands = values.get(at(organisationId, key)) ?? null;
      if (stands !== null) values.set(at(organisationId, key), '');
      return stands;
    },
  };
}

/** A bus that several gateways of one test share. `said`: every message, newest last. */
export function memoryBus(): Bus & { readonly said: [Topic, string][]; gap(): void } {
  const said: [Topic, string][] = [];
  const listeners = new Set<{ topic: Topic; listener: Listener }>();
  return {
    said,
    async publish(topic, message) {
      said.push([topic, message]);
      for (const each of listeners) if (each.topic === topic) each.listener.onMessage(message);
    },
    async subscribe(topic, listener) {
      const subscription = { topic, listener };
      listeners.add(subscription);
      listener.onGap();
      return { close: async () => void listeners.delete(subscription) };
    },
    isListening: () => true,
    gap() {
      for (const { listener } of listeners) listener.onGap();
    },
    async close() {
      listeners.clear();
    },
  };
}
