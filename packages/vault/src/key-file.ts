import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { createKeyring, type Keyring } from './keyring.ts';
import { Secret } from './secret.ts';

const KEY_LINE = /^[A-Za-z0-9_-]{43}$/;
const GROUP_OR_WORLD = 0o077;

/** A key or secret file cannot be used. The message names the file and what to do, and nothing of its content. */
export class KeyFileError extends Error {
  constructor(path: string, problem: string) {
    super(`${path} ${problem}`);
    this.name = 'KeyFileError';
  }
}

/** One or several 32-byte keys in base64url, one a line, the first current. Throws KeyFileError. */
export function loadKeyring(path: string): Keyring {
  const lines = readPrivateFile(path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) throw new KeyFileError(path, 'holds no key');
  if (lines.some((line) => !isKey(line))) throw new KeyFileError(path, 'must hold one 32-byte key in base64url a line and nothing else');
  return createKeyring(lines.map((line) => Buffer.from(line, 'base64url')));
}

/** A secret used as text (surrounding white space removed), such as a bearer or a database URL. Throws KeyFileError. */
export function loadSecret(path: string): Secret {
  const text = readPrivateFile(path).trim();
  if (text === '') throw new KeyFileError(path, 'is empty');
  return new Secret(text);
}

/** The content of a file that nobody but its owner may read. Throws KeyFileError. */
export function readPrivateFile(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw new KeyFileError(path, `cannot be read (${codeOf(error)})`);
  }
  try {
    // Asked of what was opened: the path could name something else by now.
    const facts = fstatSync(descriptor);
    if (!facts.isFile()) throw new KeyFileError(path, 'is not a file');
    if ((facts.mode & GROUP_OR_WORLD) !== 0) throw new KeyFileError(path, 'may be read by others: set its mode to 0600');
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

function isKey(line: string): boolean {
  return KEY_LINE.test(line) && Buffer.from(line, 'base64url').toString('base64url') === line;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}
