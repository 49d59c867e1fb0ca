import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from './problem.mjs';

const NAME = /^(\d{4})_[a-z0-9]+(_[a-z0-9]+)*$/;
const SEAL_LINE = /^([0-9a-f]{64}) {2}(\S+)\/migration\.sql$/;

/** The migrations and the schema of the checkout at `root`: where they are, what they say, and which texts are sealed. */
export function readFolder(root) {
  const folder = join(root, 'prisma/migrations');
  const names = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : [];
  const migrations = names
    .map(({ name }) => name)
    .sort()
    .map((name) => {
      const file = join(folder, name, 'migration.sql');
      if (!existsSync(file)) throw new Problem(`prisma/migrations/${name} holds no migration.sql`);
      const sql = readFileSync(file, 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    });
  const schema = readFileSync(join(root, 'prisma/schema.prisma'), 'utf8');
  return { folder, migrations, schema, sealFile: join(folder, 'SHA256SUMS'), seals: readSeals(join(folder, 'SHA256SUMS')) };
}

/** As `sha256sum` writes it, so that `sha256sum -c SHA256SUMS` reads it too. */
function readSeals(file) {
  if (!existsSync(file)) return new Map();
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const [, checksum, name] = SEAL_LINE.exec(line) ?? [];
      if (checksum === undefined) throw new Problem(`prisma/migrations/SHA256SUMS: this is not a line of sha256sum: ${line}`);
      return [name, checksum];
    }),
  );
}

/** What no later migration could put right: names and numbers out of order, a sealed text that changed or went. */
export function damageOf({ migrations, seals }) {
  const findings = migrations.flatMap(({ name }, index) => {
    const [, number] = NAME.exec(name) ?? [];
    if (number === undefined) return [`${name}: a migration is named like 0007_what_it_adds`];
    return Number(number) === index + 1
      ? []
      : [`${name}: its number should be ${numbered(index + 1)}; numbers follow each other without a gap`];
  });
  const byName = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const [name, checksum] of seals) {
    const migration = byName.get(name);
    if (migration === undefined)
      findings.push(`${name}: it is sealed, and gone. Databases that ran it still hold what it made: put it back`);
    else if (migration.checksum !== checksum)
      findings.push(
        `${name}: its text changed after it was sealed. Databases that ran it refuse to start: restore it and write a new migration`,
      );
  }
  return findings;
}

/** Names of migrations whose text may still change. */
export function unsealed({ migrations, seals }) {
  return migrations.filter(({ name }) => !seals.has(name)).map(({ name }) => name);
}

/** Seals every migration that is not yet; what is sealed stays as it is. */
export function seal({ migrations, seals, sealFile }) {
  writeFileSync(sealFile, migrations.map(({ name, checksum }) => `${seals.get(name) ?? checksum}  ${name}/migration.sql\n`).join(''));
}

/** Writes the next migration and returns its name. */
export function addMigration({ folder, migrations }, label, sql) {
  const name = `${numbered(migrations.length + 1)}_${label}`;
  if (!NAME.test(name))
    throw new Problem(`a migration is named in lower-case words joined by _ (like add_colour_to_servers), not ${label}`);
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, 'migration.sql'), sql, { flag: 'wx' });
  return name;
}

const numbered = (number) => String(number).padStart(4, '0');
