import { closeSync, copyFileSync, openSync, readSync, statSync, truncateSync } from 'node:fs';

const BYTES_MAX = 8 * 1024 * 1024;
const TAIL_BYTES = 8 * 1024;
const TAIL_LINES = 15;

/** Empties a log that has grown too long, keeping its content beside it. Its writers append and may go on: what they write meanwhile can be lost. */
export function rotate(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < BYTES_MAX) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}

export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** The last lines written behind `from`; untrusted text. */
export function tailOf(path: string, from = 0): string {
  const size = sizeOf(path);
  const start = Math.max(size < from ? 0 : from, size - TAIL_BYTES);
  const buffer = Buffer.alloc(Math.max(0, size - start));
  if (buffer.length === 0) return '';
  const file = openSync(path, 'r');
  try {
    readSync(file, buffer, 0, buffer.length, start);
  } finally {
    closeSync(file);
  }
  return buffer.toString('utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}
