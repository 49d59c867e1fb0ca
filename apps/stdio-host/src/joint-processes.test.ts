import { refusal } from '@patchbay/errors';
import { expect, test } from 'vitest';
import { JointProcesses, type Started } from './joint-processes.ts';
import type { ServerProcess } from './process/server-process.ts';

const ready = (): Started => ({ process: { takesSessions: true } as ServerProcess, result: Buffer.from('{}') });
const broken = async (): Promise<never> => Promise.reject(new Error('no space left'));

test('who comes while it starts joins it, and who comes later too', async () => {
  const joint = new JointProcesses();
  const one = ready();
  expect(await Promise.all([joint.join('a', async () => one), joint.join('a', broken)])).toEqual([one, one]);
  expect(await joint.join('a', broken)).toBe(one);
});

test('a start that throws is nobody’s process: the next one starts anew, and the end of another process does no harm', async () => {
  const joint = new JointProcesses();
  const other = ready();
  await joint.join('b', async () => other);
  const starting = joint.join('a', broken);
  joint.forget(other.process);
  await expect(starting).rejects.toThrow('no space left');
  joint.forget(other.process);
  const one = ready();
  expect(await joint.join('a', async () => one)).toBe(one);
  // An unhandled rejection fails the run.
  await new Promise((resolve) => setImmediate(resolve));
});

test('a refused start is not kept either', async () => {
  const joint = new JointProcesses();
  expect(await joint.join('a', async () => refusal('stdio.limit'))).toMatchObject({ code: 'stdio.limit' });
  const one = ready();
  expect(await joint.join('a', async () => one)).toBe(one);
});
