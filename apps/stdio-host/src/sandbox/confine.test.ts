import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { confine, keptInTmp } from './confine.ts';

const TOOLS = { setpriv: '/s/setpriv', unshare: '/s/unshare', mount: '/s/mount', sh: '/s/sh', ip: '/s/ip', userNamespace: true };
const PLACES = {
  home: '/h',
  scratch: '/h/stdio/.sandbox',
  data: '/h/stdio/o/s',
  needed: [],
  egress: { addresses: [], hosts: '' },
  limits: { diskBytes: 1024, openFilesMax: 64, tasksMax: 16 },
};

test('values of the environment are never on a command line, and their names never in the environment of the sandbox tools', () => {
  const confined = confine(TOOLS, { file: '/bin/x', args: ['a b'], env: { LD_PRELOAD: 'evil.so', KEY: 'value-of-key' } }, PLACES);
  expect(confined.args.join('\n')).not.toContain('value-of-key');
  expect(Object.keys(confined.env).sort()).toEqual(['PATH', 'PB_0', 'PB_1']);
  expect(confined.args.slice(-2)).toEqual(['/bin/x', 'a b']);
});

test('only the top entries of /tmp that hold something needed are kept in a private one', () => {
  const directory = mkdtempSync('/tmp/patchbay-unit-');
  try {
    expect(
      keptInTmp([join(directory, 'a', 'b'), join(directory, 'c'), '/usr/bin/node', '/tmp/there-is-no-such-thing/x', '/tmpfoo']),
    ).toEqual([directory]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
