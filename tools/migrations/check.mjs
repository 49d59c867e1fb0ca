import { resolve } from 'node:path';
import process from 'node:process';
import { runCheck } from '../checks/run-check.mjs';
import { differenceOf } from './engine.mjs';
import { damageOf, readFolder, unsealed } from './folder.mjs';
import { Problem } from './problem.mjs';
import { withMigratedDatabase } from './scratch.mjs';

const COMMAND = 'node_modules/.bin/node scripts/migrations.mjs';

/** The migrations run, make what schema.prisma describes and nothing else, and none was changed after it was sealed. */
async function checkMigrations(root) {
  try {
    const folder = readFolder(root);
    return { findings: await findingsIn(folder), summary: `${folder.migrations.length} migrations` };
  } catch (error) {
    if (error instanceof Problem) return { findings: [error.message], summary: 'stopped' };
    throw error;
  }
}

async function findingsIn(folder) {
  if (folder.migrations.length === 0) return ['no migration was read'];
  const damage = damageOf(folder);
  if (damage.length > 0) return damage;
  const open = unsealed(folder).map((name) => `${name} is not sealed: when its text is final, run \`${COMMAND} seal\``);
  const difference = await withMigratedDatabase(folder, (url) => differenceOf({ url, schema: folder.schema }));
  if (difference === null) return open;
  return [
    ...open,
    `The migrations do not make what prisma/schema.prisma describes (\`${COMMAND} new NAME\` writes it):\n${difference.sql}`,
  ];
}

process.chdir(resolve(process.argv[2] ?? '.'));
await runCheck(checkMigrations);
