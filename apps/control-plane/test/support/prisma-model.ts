/** A table as text, so that a difference reads as one: columns by name, then keys and indexes. */
export type TableShape = { readonly columns: Record<string, string>; readonly keys: readonly string[] };

const TYPES: Readonly<Record<string, string>> = {
  String: 'text',
  'String @db.Uuid': 'uuid',
  Int: 'int4',
  Boolean: 'bool',
  Json: 'jsonb',
  Bytes: 'bytea',
  'DateTime @db.Timestamptz(3)': 'timestamptz(3)',
};

type Field = { readonly name: string; readonly column: string; readonly type: string; readonly rest: string };

/** The tables that a schema.prisma describes. Throws on a scalar type that it does not know. */
export function tablesOf(schema: string): Map<string, TableShape> {
  const models = [...schema.matchAll(/^model (\w+) \{\n([^}]*)\n\}/gm)].map(([, name = '', body = '']) => ({ name, body }));
  const names = new Set(models.map(({ name }) => name));
  const tables = new Map(models.map(({ name, body }) => [name, { table: mapped(body, '@@map') ?? name, fields: fieldsOf(body) }]));
  return new Map(
    models.map(({ name, body }) => {
      const { table = name, fields = [] } = tables.get(name) ?? {};
      const scalars = fields.filter(({ type }) => !names.has(type.replace(/[?[\]]/g, '')));
      const columnsIn = (list: string, of = fields): string =>
        list
          .split(',')
          .map((field) => of.find(({ name: own }) => own === field.trim())?.column)
          .join(', ');
      const keys = [
        ...scalars.filter(({ rest }) => /@id\b/.test(rest)).map(({ column }) => `primary key (${column})`),
        ...scalars.filter(({ rest }) => /@unique\b/.test(rest)).map(({ column }) => `unique (${column})`),
        ...[...body.matchAll(/@@(id|unique|index)\(\[([^\]]+)\]\)/g)].map(
          ([, kind = '', list = '']) => `${kind === 'id' ? 'primary key' : kind} (${columnsIn(list)})`,
        ),
        ...fields.flatMap(({ type, rest }) => {
          const [, from, to] = /@relation\(fields: \[([^\]]+)\], references: \[([^\]]+)\]/.exec(rest) ?? [];
          const target = tables.get(type.replace('?', ''));
          if (from === undefined || to === undefined || target === undefined) return [];
          const onDelete = /onDelete: Cascade/.test(rest) ? ' on delete cascade' : '';
          return [`foreign key (${columnsIn(from)}) references ${target.table} (${columnsIn(to, target.fields)})${onDelete}`];
        }),
      ];
      return [table, { columns: Object.fromEntries(scalars.map((field) => [field.column, columnOf(field)])), keys: keys.sort() }];
    }),
  );
}

function fieldsOf(body: string): Field[] {
  return body.split('\n').flatMap((line) => {
    const [, name, type, rest = ''] = /^ {2}(\w+)\s+([\w?[\]]+)(.*)$/.exec(line) ?? [];
    return name === undefined || type === undefined ? [] : [{ name, type, rest, column: mapped(rest, '@map') ?? name }];
  });
}

function columnOf({ name, type, rest }: Field): string {
  const native = /@db\.\w+(\(\d+\))?/.exec(rest)?.[0];
  const scalar = TYPES[[type.replace(/[?[\]]/g, ''), native].filter((part) => part !== undefined).join(' ')];
  if (scalar === undefined) throw new Error(`field ${name} has a type that this check does not know: ${type} ${native ?? ''}`);
  // A list's column may be null: the client reads that as an empty list.
  const isNullable = type.endsWith('?') || type.endsWith('[]');
  const list = type.endsWith('[]') ? '[]' : '';
  return `${scalar}${list}${isNullable ? '' : ' not null'}${/@default\(/.test(rest) ? ' default' : ''}`;
}

const mapped = (text: string, attribute: '@map' | '@@map'): string | undefined =>
  new RegExp(`(?<!@)${attribute}\\("([^"]+)"\\)`).exec(text)?.[1];
