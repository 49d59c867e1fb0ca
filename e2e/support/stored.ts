import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';

/** Every row of every table that is not Postgres' own, as a thief of a dump has it. */
export async function dumpPostgres(superuserUrl: string): Promise<unknown[]> {
  const client = new Client({ connectionString: superuserUrl });
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

/** What the files of a keys folder keep secret, by file name: of a URL its password, of a PEM its body. Public halves are left out. */
export function secretsIn(folder: string): Record<string, string> {
  const names = readdirSync(folder).filter((name) => !name.endsWith('.pub.pem'));
  return Object.fromEntries(names.map((name) => [name, secretOf(readFileSync(join(folder, name), 'utf8').trim())]));
}

function secretOf(text: string): string {
  if (URL.canParse(text)) return decodeURIComponent(new URL(text).password);
  return text.replaceAll(/-----.*-----|\n/g, '');
}

/** All files under a folder, one after another. */
export function filesUnder(folder: string): Buffer {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
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
