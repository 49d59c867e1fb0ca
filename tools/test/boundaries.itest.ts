import { cpSync, mkdirSync, readdirSync, realpathSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { type Checkout, makeCheckout, ROOT } from './support/checkout.ts';

const PACKAGES = ['contracts', 'discovery', 'errors', 'policy', 'vault', 'testkit'];
const manifest = (name: string) =>
  JSON.stringify({ name: `@patchbay/${name}`, type: 'module', exports: { '.': { 'patchbay-source': './src/index.ts' } } });
const MODULES = 'apps/control-plane/src/modules';

const CLEAN = {
  'packages/errors/src/index.ts': 'export const e = 1;\n',
  'packages/contracts/src/index.ts': "import { e } from '@patchbay/errors';\nexport const c = e;\n",
  'packages/policy/src/index.ts': "import { c } from '@patchbay/contracts';\nexport const p = c;\n",
  'packages/vault/src/index.ts': 'export const v = 1;\n',
  'packages/testkit/src/index.ts': 'export const t = 1;\n',
  'apps/gateway/src/main.ts':
    "import { p } from '@patchbay/policy';\nimport { step } from './pipeline/step.ts';\nexport const m = [p, step];\n",
  'apps/gateway/src/pipeline/step.ts': 'export const step = 1;\n',
  'apps/gateway/src/main.test.ts': "import { t } from '@patchbay/testkit';\nexport const u = t;\n",
  'apps/stdio-host/src/main.ts': 'export const h = 1;\n',
  'apps/control-plane/src/main.ts': `import { a } from './modules/alpha/index.ts';\nexport const m = a;\n`,
  [`${MODULES}/alpha/index.ts`]: "export { a } from './alpha.service.ts';\n",
  [`${MODULES}/alpha/alpha.service.ts`]: "import { b } from '../beta/index.ts';\nexport const a = b;\n",
  [`${MODULES}/beta/index.ts`]: "export { b } from './beta.service.ts';\n",
  [`${MODULES}/beta/beta.service.ts`]: 'export const b = 1;\n',
};

// Rule → the file that breaks it and its import.
const PLANTED: Record<string, [path: string, text: string]> = {
  'apps-stay-apart': ['apps/gateway/src/x1.ts', "import '../../stdio-host/src/main.ts';\n"],
  'packages-below-apps': ['packages/vault/src/x2.ts', "import '../../../apps/stdio-host/src/main.ts';\n"],
  'foundation-stands-alone': ['packages/contracts/src/x3.ts', "import '@patchbay/vault';\n"],
  'errors-below-contracts': ['packages/errors/src/x4.ts', "import type { c } from '@patchbay/contracts';\nexport type C = typeof c;\n"],
  'shared-code-through-the-package': ['apps/gateway/src/x5.ts', "import '../../../packages/vault/src/index.ts';\n"],
  'testkit-in-tests-only': ['apps/gateway/src/x6.ts', "import '@patchbay/testkit';\n"],
  'production-without-tests': ['apps/gateway/src/x7.ts', "import './main.test.ts';\n"],
  'gateway-without-frameworks': ['apps/gateway/src/x8.ts', "import '@nestjs/common';\n"],
  'hot-path-without-zod': ['apps/gateway/src/pipeline/x9.ts', "import { z } from 'zod';\nexport const s = z;\n"],
  'hot-path-has-no-io-clients': [
    'apps/gateway/src/pipeline/x10.ts',
    "import { readFile } from 'node:fs/promises';\nexport const r = readFile;\n",
  ],
  'modules-through-their-index': [`${MODULES}/alpha/x11.ts`, "import '../beta/beta.service.ts';\n"],
  'modules-through-their-index-from-outside': ['apps/control-plane/src/x12.ts', "import './modules/beta/beta.service.ts';\n"],
  'nest-in-the-control-plane-only': ['packages/vault/src/x13.ts', "import '@nestjs/common';\n"],
  'prisma-in-the-control-plane-only': ['packages/vault/src/x14.ts', "import '@prisma/client';\n"],
  'middle-packages-look-down': ['packages/policy/src/x15.ts', "import '@patchbay/vault';\n"],
  'listening-looks-down': ['packages/listening/src/x15.ts', "import '@patchbay/policy';\n"],
  'discovery-looks-down': ['packages/discovery/src/x18.ts', "import '@patchbay/vault';\n"],
  'no-circular': ['packages/vault/src/x16-back.ts', "import { x } from './x16.ts';\nexport const y = (): unknown => x;\n"],
  'no-unresolvable': ['packages/vault/src/x17.ts', "import './nowhere.ts';\n"],
};

function makeWorkspace(): Checkout {
  const checkout = makeCheckout({ copied: [], installed: false });
  checkout.write(CLEAN);
  for (const name of PACKAGES) {
    checkout.write({ [`packages/${name}/package.json`]: manifest(name) });
    mkdirSync(join(checkout.root, 'node_modules/@patchbay'), { recursive: true });
    symlinkSync(join(checkout.root, 'packages', name), join(checkout.root, 'node_modules/@patchbay', name));
  }
  for (const name of ['zod', '@nestjs/common', '@prisma/client']) {
    checkout.write({
      [`node_modules/${name}/package.json`]: JSON.stringify({ name, main: 'index.js' }),
      [`node_modules/${name}/index.js`]: 'exports.z = 1;\n',
    });
  }
  return checkout;
}

test('imports that point down pass, all modules read', async () => {
  const checkout = makeWorkspace();
  const { code, output } = await checkout.run('tools/boundaries/check.mjs');
  expect(output).toBe(`${Object.keys(CLEAN).length} modules, 9 imports, 0 violations\n`);
  expect(code).toBe(0);
});

test('each rule finds the import planted for it, and says which', async () => {
  const checkout = makeWorkspace();
  checkout.write(Object.fromEntries(Object.values(PLANTED)));
  checkout.write({ 'packages/vault/src/x16.ts': "import { y } from './x16-back.ts';\nexport const x = (): unknown => y;\n" });
  const { code, output } = await checkout.run('tools/boundaries/check.mjs');
  expect(code).toBe(1);
  for (const [rule, [path]] of Object.entries(PLANTED)) expect(output).toContain(`${rule}: ${path} → `);
});

test('a cruiser that cannot read TypeScript fails instead of finding nothing', async () => {
  const checkout = makeWorkspace();
  const store = dirname(realpathSync(join(ROOT, 'tools/boundaries/node_modules/dependency-cruiser')));
  const modules = join(checkout.root, 'tools/boundaries/node_modules');
  mkdirSync(modules, { recursive: true });
  for (const name of readdirSync(store))
    if (name !== 'typescript' && name !== 'dependency-cruiser') symlinkSync(join(store, name), join(modules, name));
  cpSync(join(store, 'dependency-cruiser'), join(modules, 'dependency-cruiser'), { recursive: true });
  for (const name of ['check.mjs', 'rules.mjs'])
    cpSync(join(ROOT, 'tools/boundaries', name), join(checkout.root, 'tools/boundaries', name));
  const { code, output } = await checkout.run(join(checkout.root, 'tools/boundaries/check.mjs'));
  expect(output).toMatch(/Only 0 of \d+ modules \(\d+ imports\) were read/);
  expect(code).toBe(1);
});
