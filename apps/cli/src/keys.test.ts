import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureKeys } from './keys.ts';
import { StartFailure } from './start-failure.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchbay-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const contents = (): Record<string, string> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));

test('keys are readable by their owner alone, all different, and stay what they are', () => {
  ensureKeys({ folder, masterKeyFile: null, hasData: false });
  const first = contents();
  for (const name of Object.keys(first)) expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
  expect(new Set(Object.values(first)).size).toBe(Object.keys(first).length);
  ensureKeys({ folder, masterKeyFile: null, hasData: true });
  expect(contents()).toEqual(first);
});

test('the public half verifies what the private half signs', () => {
  ensureKeys({ folder, masterKeyFile: null, hasData: false });
  const data = Buffer.from('manifest');
  const signature = sign(null, data, createPrivateKey(readFileSync(join(folder, 'snapshot-signing.pem'))));
  expect(verify(null, data, createPublicKey(readFileSync(join(folder, 'snapshot-signing.pub.pem'))), signature)).toBe(true);
});

test('a lost key that existing data needs is asked for, never made anew', () => {
  for (const name of ['master.key', 'token-tag.key', 'postgres-superuser.secret']) {
    ensureKeys({ folder, masterKeyFile: null, hasData: false });
    rmSync(join(folder, name));
    expect(() => ensureKeys({ folder, masterKeyFile: null, hasData: true }), name).toThrow(StartFailure);
    expect(readdirSync(folder)).not.toContain(name);
  }
});

test('a master key that is kept elsewhere does not lie in the folder too', () => {
  const elsewhere = join(folder, 'mounted');
  ensureKeys({ folder, masterKeyFile: elsewhere, hasData: false });
  expect(readdirSync(folder)).toContain('mounted');
  expect(readdirSync(folder)).not.toContain('master.key');
});
