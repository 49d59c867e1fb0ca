import { expect, test } from 'vitest';
import type { Cgroups } from './cgroups.ts';
import { Holds } from './holds.ts';

const LIMITS = { memoryBytes: 1, diskBytes: 1, tasksMax: 1, openFilesMax: 1, cpus: 1 };

// A server once ran unheld because no group could be made for it, and its fork bomb stopped the machine.
test('where the kernel holds servers, one that it cannot hold does not start', () => {
  const none = {
    make() {
      throw new Error('ENOSPC');
    },
  } as unknown as Cgroups;
  const holds = new Holds(LIMITS, none);
  expect(holds.by).toBe('kernel');
  expect(() => holds.prepare('/data')).toThrow('ENOSPC');
});

test('where it holds none, they start and are watched', () => {
  const holds = new Holds(LIMITS, null);
  expect(holds.by).toBe('watched');
  expect(holds.prepare('/data').entrances).toEqual([]);
});
