import { BootstrapFile } from '@patchbay/contracts';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { asFirstStartResult, readFacts, writeFacts } from './bootstrap-facts.ts';

const made = { org: 'default', adminEmail: 'a@b.c', adminPassword: 'p', token: 't', apiToken: 'u' };
const facts = { apiUrl: 'http://127.0.0.1:1', gatewayUrl: 'http://127.0.0.1:2', mcpUrl: 'http://127.0.0.1:2/default/mcp', ...made };
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchbay-facts-'));
  path = join(folder, 'bootstrap.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the file is what its contract says, readable by its owner alone, and read again', () => {
  writeFileSync(path, 'old', { mode: 0o644 });
  writeFacts(path, facts);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(BootstrapFile.parse(JSON.parse(readFileSync(path, 'utf8')))).toEqual(facts);
  expect(readFacts(path)).toEqual(made);
});

test('a file that is missing, cut or incomplete counts as none', () => {
  expect(readFacts(path)).toBeNull();
  for (const content of ['', '{"org":', '[]', 'null', JSON.stringify({ ...facts, token: '' }), JSON.stringify({ ...facts, token: 1 })]) {
    writeFileSync(path, content);
    expect(readFacts(path), content).toBeNull();
  }
});

test('nothing but what a first start makes is taken from its output', () => {
  expect(asFirstStartResult({ ...made, apiUrl: 'http://elsewhere' })).toEqual(made);
});
