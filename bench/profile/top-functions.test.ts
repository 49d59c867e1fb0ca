import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { topFunctions } from './top-functions.ts';

test('of the end of a profile the functions that took most of the busy time, and idling is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-profile-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'a.cpuprofile');
  const frame = (functionName: string, url = ''): object => ({ functionName, url, lineNumber: 4 });
  const nodes = [
    { id: 1, callFrame: frame('boot') },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('run', 'file:///work/apps/gateway/dist/run.js') },
    { id: 4, callFrame: frame('') },
  ];
  writeFileSync(file, JSON.stringify({ nodes, samples: [1, 2, 3, 4], timeDeltas: [50_000, 4_000, 3_000, 1_000] }));
  expect(topFunctions(file, { count: 5, lastMs: 10 })).toEqual([
    { where: 'run gateway/dist/run.js:5', share: 0.75 },
    { where: '(anonymous)', share: 0.25 },
  ]);
});
