import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LEFT_OUT = ['**/node_modules/**', '**/dist/**', '**/generated/**', '**/.patchbay/**', '**/.cache/**'];

/** Paths below `root` that match, generated and installed files left out, in a stable order. */
export function listFiles(root, pattern) {
  return globSync(pattern, { cwd: root, exclude: LEFT_OUT })
    .filter((path) => !/(^|\/)(node_modules|dist|generated)\//.test(path))
    .sort();
}

/** The parsed JSON file at `root`/`path`. */
export function readJson(root, path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}
