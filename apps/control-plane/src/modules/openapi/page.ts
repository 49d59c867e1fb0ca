import type { DescribedRoute } from './document.ts';
import { CODES } from './document.ts';

/** The API as a page to read: no script, one style sheet of ours. */
export function renderPage(routes: readonly DescribedRoute[]): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Patchbay API</title><link rel="stylesheet" href="/api/docs/style.css"></head>
<body>
<h1>Patchbay API</h1>
<p>The machine-readable document is <a href="/api/openapi.json">/api/openapi.json</a> (OpenAPI 3.1). Send an API token as a bearer, or sign in at <code>POST /api/v1/session</code>.</p>
<h2>Routes</h2>
${routes.map(renderRoute).join('\n')}
<h2>Error codes</h2>
<table><tr><th>Code</th><th>Status</th><th>Meaning</th></tr>
${CODES.map(({ code, http, say }) => `<tr><td><code>${escape(code)}</code></td><td>${http}</td><td>${escape(say)}</td></tr>`).join('\n')}
</table>
</body>
</html>
`;
}

export const STYLE = `body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
code { font-size: 0.9em; } .route { border-top: 1px solid #8884; padding: 0.5rem 0; } .method { font-weight: 700; text-transform: uppercase; }
table { border-collapse: collapse; } td, th { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; vertical-align: top; }
`;

function renderRoute({ method, path, requirement, description }: DescribedRoute): string {
  const needs = requirement?.kind === 'permission' ? ` Needs <code>${escape(requirement.permission)}</code>.` : '';
  return `<div class="route"><code><span class="method">${escape(method)}</span> ${escape(path)}</code><br>${escape(description.summary)}${needs}</div>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
