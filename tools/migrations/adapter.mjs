import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import pg from 'pg';

// adapter-pg refuses "char", Postgres' one-byte type of its own catalogues, which is most of what the schema engine reads.
const CHAR = 18;
const BPCHAR = 1042;

/** Which columns of a result were "char", by the result's rows: the adapter hands those on as they are. */
const charColumns = new WeakMap();

class CataloguePool extends pg.Pool {
  async query(...args) {
    const result = await super.query(...args);
    const indexes = (result.fields ?? []).flatMap(({ dataTypeID }, index) => (dataTypeID === CHAR ? [index] : []));
    for (const index of indexes) result.fields[index].dataTypeID = BPCHAR;
    if (indexes.length > 0) charColumns.set(result.rows, indexes);
    return result;
  }
}

class CatalogueAdapter extends PrismaPg {
  async connect() {
    const adapter = await super.connect();
    const queryRaw = adapter.queryRaw.bind(adapter);
    adapter.queryRaw = async (query) => {
      const result = await queryRaw(query);
      for (const index of charColumns.get(result.rows) ?? []) result.columnTypes[index] = ColumnTypeEnum.Character;
      return result;
    };
    return adapter;
  }
}

/**
 * The schema engine's way to one database, and the pool to end afterwards. For reading only: adapter-pg cuts a script at every
 * semicolon, so a migration that defines a function must never be run through it.
 */
export function readingAdapter(connectionString) {
  const pool = new CataloguePool({ connectionString, max: 2 });
  return { factory: bindMigrationAwareSqlAdapterFactory(new CatalogueAdapter(pool)), end: () => pool.end() };
}
