import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockHome } from './lock.ts';
import { identityOf } from './process-identity.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchbay-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = (): string => join(folder, 'supervisor.json');

test('a second supervisor learns who runs', async () => {
  const lock = await lockHome(folder);
  await expect(lockHome(folder)).rejects.toThrow(`process ${process.pid}`);
  lock.release();
  (await lockHome(folder)).release();
  expect(readdirSync(folder)).toEqual([]);
});

test('the lock of a dead supervisor is taken over, also when its pid lives on in another process', async () => {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    writeFileSync(path(), JSON.stringify({ pid: other.pid, startedAt: 'long ago' }));
    (await lockHome(folder)).release();
  } finally {
    other.kill('SIGKILL');
  }
});

test('a lock file that holds nothing usable locks nobody out', async () => {
  for (const content of ['', '{', '{"pid":"1"}', '[]', 'null']) {
    writeFileSync(path(), content);
    (await lockHome(folder)).release();
  }
});

test('a newcomer waits for a supervisor that is stopping', async () => {
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
  writeFileSync(path(), JSON.stringify({ ...identityOf(other.pid ?? 0), stopping: true }));
  const waiting = lockHome(folder);
  setTimeout(() => other.kill('SIGKILL'), 200);
  (await waiting).release();
});

test('of many newcomers at a dead lock exactly one gets it', async () => {
  writeFileSync(path(), JSON.stringify({ pid: 2_000_000_000, startedAt: '1' }));
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockHome(folder)));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});
