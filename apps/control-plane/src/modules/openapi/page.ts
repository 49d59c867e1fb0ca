import type { z } from 'zod';
import { CODES, schemaOf, type DescribedRoute } from './document.ts';
import { escape, renderSchema, typeOf } from './schema-view.ts';

/** The API as a page to read, a section for each resource: no script, one style sheet of ours. */
export function renderPage(routes: readonly DescribedRoute[]): string {
  const groups = [...Map.groupBy(routes, resourceOf)];
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Patchbay API</title><link rel="stylesheet" href="/api/docs/style.css"></head>
<body>
<nav><strong>Patchbay API</strong><ul>${groups.map(([name]) => `<li><a href="#${name}">${name}</a></li>`).join('')}<li><a href="#errors">errors</a></li></ul></nav>
<main>
<h1>Patchbay API</h1>
<p>Send an API token as a bearer, or sign in at <code>POST /api/v1/session</code>. Bodies are JSON; a field that is not listed is refused.
Lists come in pages: pass <code>nextCursor</code> back as <code>cursor</code>. The machine-readable document is
<a href="/api/openapi.json">/api/openapi.json</a> (OpenAPI 3.1). The examples use two variables of your shell: <code>PATCHBAY_API</code>, the address of
this page without its path, and <code>PATCHBAY_API_TOKEN</code>.</p>
${groups.map(([name, own]) => `<section id="${name}"><h2>${name}</h2>\n${own.map(renderRoute).join('\n')}</section>`).join('\n')}
<section id="errors"><h2>errors</h2>
<p>Problem documents (RFC 9457, <code>application/problem+json</code>); <code>code</code> is stable, <code>errors</code> names the fields.</p>
<table><tr><th>Code</th><th>Status</th><th>Meaning</th></tr>
${CODES.map(({ code, http, say }) => `<tr><td><code>${escape(code)}</code></td><td>${http}</td><td>${escape(say)}</td></tr>`).join('\n')}
</table></section>
</main>
</body>
</html>
`;
}

export const STYLE = `:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; display: flex; }
nav { position: sticky; top: 0; height: 100vh; padding: 2rem 1.5rem; border-right: 1px solid var(--line); box-sizing: border-box; }
nav ul { list-style: none; padding: 0; } main { max-width: 56rem; padding: 1rem 2rem 4rem; min-width: 0; }
h2 { margin-top: 3rem; text-transform: capitalize; } h3 { margin: 0; font-size: 1rem; } a { color: inherit; }
code, pre { font: 0.875em/1.5 ui-monospace, monospace; } pre { background: var(--soft); padding: 0.75rem; overflow-x: auto; }
article { border: 1px solid var(--line); border-radius: 0.5rem; padding: 1rem; margin: 1rem 0; overflow-wrap: anywhere; }
summary { cursor: pointer; } .method { font-weight: 700; display: inline-block; min-width: 4.5rem; } .or { margin: 0.5rem 0 0; }
table { border-collapse: collapse; } td, th { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; vertical-align: top; }
em { font-size: 0.875em; opacity: 0.7; }
@media (max-width: 40rem) { body { display: block; } nav { position: static; height: auto; border: 0; padding: 1rem 2rem 0; } }
`;

function resourceOf({ path }: DescribedRoute): string {
  const parts = path.replace('/api/v1/', '').split('/');
  return escape((parts[0] === 'orgs' ? parts[2] : parts[0]) ?? 'organisations');
}

function renderRoute(route: DescribedRoute): string {
  const { method, path, requirement, description } = route;
  const needs = requirement?.kind === 'permission' ? ` Needs <code>${escape(requirement.permission)}</code>.` : '';
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => `<li><code>${escape(name)}</code> in the path <em>required</em></li>`),
    ...Object.entries(description.query?.shape ?? {}).map(
      ([name, type]) => `<li><code>${escape(name)}</code> in the query: ${typeOf(schemaOf(type, 'input'))}</li>`,
    ),
  ];
  return `<article>
<h3><code><span class="method">${escape(method.toUpperCase())}</span> ${escape(path)}</code></h3>
<p>${escape(description.summary)}${needs}</p>
${parameters.length === 0 ? '' : `<details><summary>Parameters</summary><ul>${parameters.join('')}</ul></details>`}
${description.body === null ? '' : `<details><summary>Body</summary>${renderSchema(schemaOf(description.body, 'input'))}</details>`}
<details><summary>Answer ${description.status}</summary>${description.response === null ? '<p>No content.</p>' : renderSchema(schemaOf(description.response, 'output'))}</details>
<details><summary>Example</summary><pre>${escape(curl(route))}</pre></details>
</article>`;
}

/** The first example that a body's schema gives; else a file of the reader's own. */
function dataOf(body: z.ZodType): string {
  const { examples } = schemaOf(body, 'input');
  const [example] = Array.isArray(examples) ? (examples as unknown[]) : [];
  return example === undefined ? '@body.json' : `'${JSON.stringify(example).replaceAll("'", String.raw`'\''`)}'`;
}

function curl({ method, path, requirement, description }: DescribedRoute): string {
  const header =
    requirement?.kind === 'permission'
      ? ['-H "Authorization: Bearer $PATCHBAY_API_TOKEN"']
      : ['-b cookies -c cookies', "-H 'Patchbay-Request: 1'", ...(method === 'get' ? [] : ['-H "Origin: $PATCHBAY_API"'])];
  const body = description.body === null ? [] : ["-H 'Content-Type: application/json'", `--data ${dataOf(description.body)}`];
  const address = `"$PATCHBAY_API${path.replace('{org}', 'default').replaceAll(/\{(\w+)\}/g, (_all, name: string) => name.toUpperCase())}"`;
  return ['curl', ...(method === 'get' ? [] : [`-X ${method.toUpperCase()}`]), ...header, ...body, address].join(' \\\n  ');
}
