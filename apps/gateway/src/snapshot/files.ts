import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The files of one pod, handed in so that a simulation owns them. Rejects on anything but a file or folder that is not there. */
export type Files = {
  /** null when there is none. */
  read(path: string): Promise<Buffer | null>;
  /** Names in a folder; none when it is not there. */
  list(folder: string): Promise<readonly string[]>;
  /** Replaces a file as a whole (0600, folders 0700): a reader sees the old bytes or the new ones, also after a kill. */
  writeAtomically(path: string, bytes: Buffer | string): Promise<void>;
  remove(path: string): Promise<void>;
};

/** On the machine's disk; each write has reached it when it resolves. */
export const DISK: Files = {
  read: (path) => orWhenMissing(readFile(path), null),
  list: (folder) => orWhenMissing(readdir(folder), []),
  async writeAtomically(path, bytes) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await writeFile(temporary, bytes, { mode: 0o600, flush: true });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  },
  remove: (path) => rm(path, { force: true }),
};

async function orWhenMissing<T, U>(reading: Promise<T>, missing: U): Promise<T | U> {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return missing;
    throw error;
  }
}
