import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** The first executable file of this name on a PATH; null when there is none. `name` must have no separator. */
export async function findExecutable(name: string, path: string): Promise<string | null> {
  for (const directory of path.split(delimiter)) {
    if (directory === '') continue;
    for (const suffix of process.platform === 'win32' ? ['.exe', '.cmd', ''] : ['']) {
      const file = join(directory, name + suffix);
      if (await isExecutable(file)) return file;
    }
  }
  return null;
}

/** Whether this is a file that we may run. */
export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
