/** Makes text safe inside HTML, attributes included. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

type JsonSchema = Readonly<Record<string, unknown>>;

const DEPTH_MAX = 4;

/** A JSON schema as a nested list of fields: name, type, limits, whether it must be there. */
export function renderSchema(schema: JsonSchema, depth = 0): string {
  if (depth > DEPTH_MAX) return '';
  const variants = variantsOf(schema);
  if (variants.length > 1) {
    return variants.map((variant) => `<p class="or">one of: ${typeOf(variant)}</p>${renderSchema(variant, depth + 1)}`).join('');
  }
  if (isSchema(schema['items'])) return renderSchema(schema['items'], depth);
  const [only] = variants;
  if (only !== undefined && only !== schema) return renderSchema(only, depth);
  if (!isSchema(schema['properties'])) return '';
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : []);
  const fields = Object.entries(schema['properties']).map(([name, field]) => {
    if (!isSchema(field)) return '';
    const must = required.has(name) ? ' <em>required</em>' : '';
    return `<li><code>${escape(name)}</code> ${typeOf(field)}${must}${renderSchema(field, depth + 1)}</li>`;
  });
  return `<ul>${fields.join('')}</ul>`;
}

/** A schema's type in a few words, with its limits. */
export function typeOf(schema: JsonSchema): string {
  if ('const' in schema) return `<code>${escape(JSON.stringify(schema['const']))}</code>`;
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => `<code>${escape(JSON.stringify(value))}</code>`).join(' or ');
  const union = [schema['anyOf'], schema['oneOf']].find(Array.isArray) as unknown[] | undefined;
  if (union !== undefined) return [...new Set(union.filter(isSchema).map(typeOf))].join(' or ');
  if (schema['type'] === 'array' && isSchema(schema['items'])) return `list of ${typeOf(schema['items'])}${limits(schema)}`;
  const format = typeof schema['format'] === 'string' ? ` (${escape(schema['format'])})` : '';
  return `${escape(typeof schema['type'] === 'string' ? schema['type'] : 'anything')}${format}${limits(schema)}`;
}

function limits(schema: JsonSchema): string {
  const words: [string, string][] = [
    ['minimum', '≥'],
    ['maximum', '≤'],
    ['minLength', 'length ≥'],
    ['maxLength', 'length ≤'],
    ['minItems', 'items ≥'],
    ['maxItems', 'items ≤'],
    ['default', 'default'],
  ];
  const said = words.flatMap(([key, word]) => (schema[key] === undefined ? [] : [`${word} ${escape(JSON.stringify(schema[key]))}`]));
  return said.length === 0 ? '' : `, ${said.join(', ')}`;
}

function variantsOf(schema: JsonSchema): JsonSchema[] {
  const union = [schema['anyOf'], schema['oneOf']].find(Array.isArray) as unknown[] | undefined;
  return (union ?? []).filter(isSchema).filter(({ type }) => type !== 'null');
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
