import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type * as promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { Watch } from './watch.ts';

// As on macOS.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof promises>();
  const readdir = async (...args: Parameters<typeof real.readdir>) => {
    if (args[0] === '/proc') throw Object.assign(new Error('no such file or directory'), { code: 'ENOENT' });
    return real.readdir(...args);
  };
  return { ...real, readdir };
});

test('where no processes can be listed, disk is held to its limit all the same', async () => {
  const data = mkdtempSync(join(tmpdir(), 'patchbay-watch-'));
  const stop = vi.fn();
  const end = new Watch({ memoryBytes: 1, tasksMax: 1, diskBytes: 1024 * 1024, openFilesMax: 64, cpus: 1 }).begin({
    pid: process.pid,
    data,
    isHeld: false,
    stop,
  });
  try {
    // Seen by a later look than the first.
    await new Promise((resolve) => setTimeout(resolve, 600));
    writeFileSync(join(data, 'large'), Buffer.alloc(2 * 1024 * 1024, 1));
    await vi.waitFor(() => expect(stop).toHaveBeenCalledWith('keeping more than 1 MiB in its directory'), { timeout: 10_000 });
  } finally {
    end();
    rmSync(data, { recursive: true, force: true });
  }
});
