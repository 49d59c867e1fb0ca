import type { BootstrapFile, FirstStartResult } from '@patchbay/contracts';
import { readJson, writePrivately } from './private-file.ts';

const MADE = ['org', 'adminEmail', 'adminPassword', 'token', 'apiToken'] as const satisfies readonly (keyof FirstStartResult)[];

/** What a first start made; null when the value is not one. By hand, because the supervisor stays in memory and a schema library with it. */
export function asFirstStartResult(value: unknown): FirstStartResult | null {
  if (typeof value !== 'object' || value === null) return null;
  const fields = new Map(Object.entries(value));
  const texts = MADE.map((name) => [name, fields.get(name)] as const);
  if (texts.some(([, text]) => typeof text !== 'string' || text === '')) return null;
  return Object.fromEntries(texts) as FirstStartResult;
}

/** Reads what an earlier start left; null when it is missing or not whole. */
export function readFacts(path: string): FirstStartResult | null {
  return asFirstStartResult(readJson(path));
}

/** Replaces the file, readable by its owner alone. */
export function writeFacts(path: string, facts: BootstrapFile): void {
  writePrivately(path, `${JSON.stringify(facts, null, 2)}\n`);
}
