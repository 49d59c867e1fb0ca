import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Takes every file that may be opened, tries to start a program, and says what became of it. */
const EXHAUSTED = `
import { closeSync, openSync } from 'node:fs';
import { Child } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'child.ts')).href)};
const files = [];
try { for (;;) files.push(openSync('/dev/null')); } catch {}
let released = 0;
const hold = () => ({ verdict: () => null, release: () => (released += 1) });
let said = 'started';
try {
  new Child({ command: { file: '/bin/true', args: [], env: {} }, cwd: '/', guard: null, hold }, { onGone() {}, onMessage() {}, tail: { push() {} } });
} catch ({ errno }) {
  said = errno;
}
files.forEach((file) => closeSync(file));
setTimeout(() => console.log(JSON.stringify({ said, released })), 100);
`;

test.skipIf(process.platform === 'win32')(
  'where no file can be opened any more a start throws, lets go of its limits, and nothing else happens',
  () => {
    const args = ['-c', 'ulimit -n 128; exec "$0" "$@"', process.execPath, '--input-type=module', '-e', EXHAUSTED];
    const { status, stderr, stdout } = spawnSync('/bin/sh', args, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ said: expect.any(Number), released: 1 });
  },
);
