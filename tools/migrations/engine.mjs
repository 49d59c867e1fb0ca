import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as glue from '@prisma/schema-engine-wasm/schema_engine_bg';
import { readingAdapter } from './adapter.mjs';
import { Problem } from './problem.mjs';

const FILTERS = { externalTables: [], externalEnums: [] };
const FILE = 'schema.prisma';
let panic = null;
let loaded = false;

function load() {
  if (loaded) return;
  const file = fileURLToPath(new URL('schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm')));
  globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => (panic = message) };
  const module = new WebAssembly.Module(readFileSync(file));
  const { exports } = new WebAssembly.Instance(module, { './schema_engine_bg.js': glue });
  glue.__wbg_set_wasm(exports);
  exports.__wbindgen_start();
  loaded = true;
}

/** Runs `ask` with an engine on one database. A panic inside the engine is told with its own words. */
async function withEngine({ url, schema }, ask) {
  load();
  const adapter = readingAdapter(url);
  try {
    const engine = await glue.SchemaEngine.new({ datamodels: [[FILE, schema]] }, () => undefined, adapter.factory);
    try {
      return await ask(engine);
    } finally {
      if (panic === null) engine.free();
    }
  } catch (error) {
    if (panic !== null) throw new Error(`Prisma's schema engine gave up: ${panic}`, { cause: error });
    throw new Problem(`Prisma's schema engine says: ${error.message.trim()}`, { cause: error });
  } finally {
    await adapter.end();
  }
}

/**
 * What would have to happen to the database at `url` for it to be what the text `schema` describes: in words and as SQL. Null when
 * nothing. Prisma compares what it can describe (tables, columns, keys, indexes): it neither sees nor drops policies, checks,
 * functions, rights and partial indexes.
 */
export function differenceOf({ url, schema }) {
  return withEngine({ url, schema }, async (engine) => {
    const files = [{ path: FILE, content: schema }];
    const ask = { from: { tag: 'schemaDatasource', configDir: '.', files }, to: { tag: 'schemaDatamodel', files }, filters: FILTERS };
    const words = await engine.diff({ ...ask, script: false, exitCode: true });
    if (words.exitCode === 0) return null;
    const { stdout: sql } = await engine.diff({ ...ask, script: true, exitCode: true });
    return { summary: words.stdout.trim(), sql: `${sql.trim()}\n` };
  });
}

/** How the record of the database at `url` stands to the migrations of the folder: names of edited, failed, pending and unknown ones. */
export async function historyOf({ url, schema, folder, migrations }) {
  const migrationsList = {
    baseDir: folder,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  };
  const found = await withEngine({ url, schema }, (engine) =>
    engine.diagnoseMigrationHistory({ migrationsList, optInToShadowDatabase: false, filters: FILTERS }),
  );
  return {
    edited: found.editedMigrationNames,
    failed: found.failedMigrationNames,
    pending: found.history?.unappliedMigrationNames ?? (found.hasMigrationsTable ? [] : migrations.map(({ name }) => name)),
    unknown: found.history?.unpersistedMigrationNames ?? [],
  };
}
