import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from './files.mjs';
import { runCheck } from './run-check.mjs';

const PERMISSIVE = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  '0BSD',
  'BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Unlicense',
  'PostgreSQL',
  'Python-2.0',
  'Zlib',
  'WTFPL',
]);
// Read by a person: what the manifest fails to say, or why the package may stay. The licence must still be the one that was read.
const REVIEWED = new Map([
  ['@modelcontextprotocol/server-everything', 'SEE LICENSE IN LICENSE'], // MIT by its README
  ['@modelcontextprotocol/server-memory', 'SEE LICENSE IN LICENSE'], // the same repository
  ['@modelcontextprotocol/inspector', 'SEE LICENSE IN LICENSE'], // Apache-2.0, older parts MIT; documentation CC-BY-4.0
  ['seq-queue', ''], // MIT by its LICENSE file
  ['elkjs', 'EPL-2.0'], // unmodified, inside the Prisma command line's studio: a development tool that we never load
  ['lightningcss', 'MPL-2.0'], // unmodified, a development dependency of vite
]);

/** SPDX expressions: one choice of an OR suffices, every part of an AND must hold. */
function isAllowed(expression, name) {
  const text = expression.replace(/[()]/g, '').trim();
  if (/\sOR\s/i.test(text)) return text.split(/\sOR\s/i).some((part) => isAllowed(part, name));
  if (/\sAND\s/i.test(text)) return text.split(/\sAND\s/i).every((part) => isAllowed(part, name));
  return PERMISSIVE.has(text) || REVIEWED.get(name) === text || (text === 'MPL-2.0' && name.startsWith('lightningcss-'));
}

function licenceOf({ license, licenses }) {
  if (typeof license === 'string') return license;
  if (typeof license?.type === 'string') return license.type;
  if (Array.isArray(licenses)) return licenses.map((entry) => entry.type ?? entry).join(' OR ');
  return '';
}

/** The folder of every package in pnpm's store of this checkout: `.pnpm/<id>/node_modules/[@scope/]<name>`, links left out. */
function* installed(root) {
  const store = join(root, 'node_modules/.pnpm');
  if (!existsSync(store)) return;
  for (const id of readdirSync(store)) {
    const folder = join('node_modules/.pnpm', id, 'node_modules');
    if (id === 'node_modules' || !existsSync(join(root, folder))) continue;
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      if (!entry.name.startsWith('@')) yield join(folder, entry.name);
      else
        for (const scoped of readdirSync(join(root, folder, entry.name), { withFileTypes: true }))
          if (scoped.isDirectory()) yield join(folder, entry.name, scoped.name);
    }
  }
}

/** Every installed package may be used in a product under Apache-2.0. */
function checkLicences(root) {
  const findings = [];
  let count = 0;
  for (const folder of installed(root)) {
    if (!existsSync(join(root, folder, 'package.json'))) continue;
    const manifest = readJson(root, join(folder, 'package.json'));
    count += 1;
    const licence = licenceOf(manifest);
    if (!isAllowed(licence, manifest.name))
      findings.push(`${manifest.name}@${manifest.version}: licence '${licence || 'none'}' is not on the list of permissive ones`);
  }
  if (count === 0) findings.push('no installed package was read');
  return { findings, summary: `${count} packages` };
}

await runCheck(checkLicences);
