import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_FILES } from '@patchbay/contracts';
import { Client } from 'pg';
import type { Platform } from './platform.ts';

/** Every row of every table that is not Postgres' own, as a thief of a dump has it. */
export async function dumpOf(platform: Platform): Promise<unknown[]> {
  const { hostname, port, pathname } = new URL(keyOf(platform, 'databaseUrl'));
  const password = keyOf(platform, 'superuserPassword');
  const client = new Client({ host: hostname, port: Number(port), database: pathname.slice(1), user: 'postgres', password });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    const rows: unknown[] = [];
    for (const { name } of tables.rows) rows.push(...(await client.query<object>(`select * from ${name}`)).rows);
    return rows;
  } finally {
    await client.end();
  }
}

/** A key or secret that the first start made. */
export function keyOf({ home }: Platform, name: keyof typeof KEY_FILES): string {
  return readFileSync(join(home, 'keys', KEY_FILES[name]), 'utf8').trim();
}

/** All files under a folder of the home, one after another. */
export function filesUnder({ home }: Platform, folder: string): Buffer {
  const entries = readdirSync(join(home, folder), { recursive: true, withFileTypes: true });
  return Buffer.concat(entries.filter((entry) => entry.isFile()).map((entry) => readFileSync(join(entry.parentPath, entry.name))));
}

/** Everything in a dump that could be presented as a secret: whole values, their encodings, and what they are put together from. */
export function valuesIn(stored: unknown): Set<string> {
  const values = new Set<string>();
  const visit = (value: unknown): void => {
    if (Buffer.isBuffer(value)) return [value.toString('hex'), value.toString('base64url'), value.toString('utf8')].forEach(visit);
    if (typeof value === 'string') return addText(values, value);
    if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit);
  };
  visit(stored);
  return values;
}

/** Shorter ones are words, longer ones no header takes. */
const LENGTH = { min: 16, max: 4096 };

function addText(values: Set<string>, text: string): void {
  for (const value of [text, ...text.split(/[^A-Za-z0-9_=+/-]+/)]) {
    if (value.length >= LENGTH.min && value.length <= LENGTH.max && /^[\x21-\x7e]+$/.test(value)) values.add(value);
  }
}
