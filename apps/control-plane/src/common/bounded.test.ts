import { expect, test } from 'vitest';
import { Bounded } from './bounded.ts';

function held(): { work: () => Promise<string>; release: () => void; started: () => boolean } {
  let [release, started] = [(): void => undefined, false];
  const gate = new Promise<void>((resolve) => (release = resolve));
  const work = async (): Promise<string> => {
    started = true;
    await gate;
    return 'done';
  };
  return { work, release, started: () => started };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('work beyond the limit waits in order, and beyond the line is not run at all', async () => {
  const bounded = new Bounded({ atOnceMax: 2, waitingMax: 1 });
  const works = [held(), held(), held(), held()];
  const results = works.map(({ work }) => bounded.run(work));
  expect(await results[3]).toBeNull();
  expect(works.map(({ started }) => started())).toEqual([true, true, false, false]);
  works[1]?.release();
  expect(await results[1]).toBe('done');
  await settled();
  expect(works[2]?.started()).toBe(true);
  works[0]?.release();
  works[2]?.release();
  expect(await Promise.all([results[0], results[2]])).toEqual(['done', 'done']);
});

test('work that fails gives its place back', async () => {
  const bounded = new Bounded({ atOnceMax: 1, waitingMax: 0 });
  await expect(bounded.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(await bounded.run(() => Promise.resolve('next'))).toBe('next');
});
