import { expect, test } from 'vitest';
import type { Bus } from './bus.ts';
import { watchErrors } from './watch-errors.ts';

class Store {
  readonly #text = 'kept';
  async take(): Promise<string> {
    return this.#text;
  }
  async put(): Promise<void> {
    throw new Error('away');
  }
}

const bus: Bus = {
  publish: () => Promise.reject(new Error('away')),
  subscribe: async () => ({ close: async () => undefined }),
  isListening: () => true,
  close: async () => undefined,
};

test('each rejection is counted under its port and still reaches the caller', async () => {
  const failed: string[] = [];
  const close = async (): Promise<void> => undefined;
  const ports = watchErrors({ bus, store: new Store(), close }, (port) => () => void failed.push(port));
  await expect(ports.bus.publish('pods', 'x')).rejects.toThrow('away');
  await expect(ports.store.put()).rejects.toThrow('away');
  await expect(ports.store.put()).rejects.toThrow('away');
  expect(await ports.store.take()).toBe('kept');
  expect(ports.bus.isListening()).toBe(true);
  expect(ports.close).toBe(close);
  expect(failed).toEqual(['bus', 'store', 'store']);
});
