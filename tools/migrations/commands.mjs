import { differenceOf, historyOf } from './engine.mjs';
import { addMigration, damageOf, readFolder, seal, unsealed } from './folder.mjs';
import { Problem } from './problem.mjs';
import { withMigratedDatabase } from './scratch.mjs';

const DIFFERS = 2;

/** A folder that is in order, or a refusal that names everything wrong with it. */
function soundFolder(root) {
  const folder = readFolder(root);
  const damage = damageOf(folder);
  if (damage.length > 0) throw new Problem(damage.join('\n'));
  return folder;
}

const differenceIn = (folder) => withMigratedDatabase(folder, (url) => differenceOf({ url, schema: folder.schema }));

/** Row security, as every tenant table has it; Prisma does not know it. */
function rowSecurityOf(sql) {
  const tenantTables = [...sql.matchAll(/^CREATE TABLE "(\w+)" \(\n([\s\S]*?)^\);/gm)].filter(([, , columns]) =>
    /"organisation_id"/.test(columns),
  );
  return tenantTables.map(([, table]) =>
    [
      `\nalter table ${table} enable row level security;`,
      `alter table ${table} force row level security;`,
      `create policy tenant on ${table} using (organisation_id = current_organisation()) with check (organisation_id = current_organisation());`,
      `grant select, insert, update, delete on ${table} to patchbay_app;\n`,
    ].join('\n'),
  );
}

/** Each returns its exit code and prints through `say`; throws `Problem` for what the developer has to put right first. */
export const COMMANDS = {
  async new({ root, args: [label, ...flags], say }) {
    if (label === undefined) throw new Problem('usage: scripts/migrations.mjs new NAME [--empty]');
    const folder = soundFolder(root);
    const difference = await differenceIn(folder);
    const isEmpty = flags.includes('--empty');
    if (difference === null && !isEmpty)
      throw new Problem('The migrations already make what schema.prisma describes. For SQL that Prisma does not know, say --empty.');
    if (difference !== null && isEmpty) throw new Problem('schema.prisma differs from the migrations: leave --empty away.');
    const sql = difference === null ? '' : [difference.sql, ...rowSecurityOf(difference.sql)].join('');
    say(
      `Wrote prisma/migrations/${addMigration(folder, label, sql)}/migration.sql. Read it, add what Prisma does not know, then run seal.`,
    );
    for (const line of sql.split('\n').filter((text) => /\bDROP\b/.test(text) && !text.startsWith('--')))
      say(`It loses something: ${line.trim()}`);
    return 0;
  },

  async diff({ root, say }) {
    const difference = await differenceIn(soundFolder(root));
    say(difference?.sql.trimEnd() ?? 'The migrations make what schema.prisma describes.');
    return difference === null ? 0 : DIFFERS;
  },

  async status({ root, args: [flag, url], say }) {
    if (flag !== undefined && (flag !== '--database' || url === undefined))
      throw new Problem('usage: scripts/migrations.mjs status [--database postgres://…]');
    const folder = soundFolder(root);
    const open = new Set(unsealed(folder));
    if (url !== undefined) return statusOf(folder, url, say);
    for (const { name } of folder.migrations) say(`${open.has(name) ? 'open  ' : 'sealed'} ${name}`);
    const difference = await differenceIn(folder);
    if (difference !== null) say(difference.summary);
    else say('They make what schema.prisma describes.');
    return difference === null ? 0 : DIFFERS;
  },

  async seal({ root, say }) {
    const folder = soundFolder(root);
    const open = unsealed(folder);
    if (open.length === 0) throw new Problem('Every migration is sealed already.');
    if ((await differenceIn(folder)) !== null) throw new Problem('The migrations do not make what schema.prisma describes yet: see diff.');
    seal(folder);
    say(`Sealed ${open.join(', ')}.`);
    return 0;
  },
};

async function statusOf({ folder, migrations, schema }, url, say) {
  const history = await historyOf({ url, schema, folder, migrations });
  const notes = {
    edited: 'text changed after it ran',
    failed: 'failed halfway',
    pending: 'not applied yet',
    unknown: 'applied, but not in this checkout',
  };
  const lines = Object.entries(notes).flatMap(([kind, note]) => history[kind].map((name) => `${name}: ${note}`));
  for (const line of lines) say(line);
  const difference = lines.length === 0 ? await differenceOf({ url, schema }) : null;
  if (difference !== null) say(`Its tables are not what schema.prisma describes:\n${difference.summary}`);
  if (lines.length > 0 || difference !== null) return DIFFERS;
  say('Every migration is applied, and the tables are what schema.prisma describes.');
  return 0;
}
