import { expect, test } from 'vitest';
import { makeCheckout } from './support/checkout.ts';

const manifest = (name: string, rest: object = {}) => JSON.stringify({ name, version: '0.1.0', private: true, type: 'module', ...rest });
const CLEAN = {
  'package.json': manifest('sample-root'),
  'pnpm-workspace.yaml': 'packages:\n  - packages/*\n  - apps/*\n',
  'packages/sample/package.json': manifest('@patchbay/sample', {
    exports: { '.': { 'patchbay-source': './src/index.ts', default: './dist/index.js' } },
  }),
  'packages/sample/src/index.ts': "export { used } from './used.ts';\n",
  'packages/sample/src/used.ts': 'export const used = 1;\nexport const helper = 2;\n',
  'packages/sample/src/used.test.ts': "import { helper } from './used.ts';\nhelper.toFixed();\n",
};

test('an export, a file and a dependency that nobody uses are each found; one that only a test uses is not', async () => {
  const checkout = makeCheckout({ copied: ['knip.json', 'tsconfig.base.json'], installed: false });
  const knip = () => checkout.run('tools/node_modules/knip/bin/knip.js', '--no-progress', '--no-config-hints');
  checkout.write(CLEAN);
  expect(await knip()).toEqual({ code: 0, output: expect.not.stringContaining('Unused') });
  checkout.write({
    'packages/sample/src/used.ts': 'export const used = 1;\nexport const helper = 2;\nexport const forgottenExport = 3;\n',
    'packages/sample/src/forgotten-file.ts': 'export const a = 1;\n',
    'packages/sample/package.json': manifest('@patchbay/sample', {
      exports: { '.': { 'patchbay-source': './src/index.ts', default: './dist/index.js' } },
      dependencies: { 'forgotten-dependency': 'catalog:' },
    }),
  });
  const { code, output } = await knip();
  expect(code).not.toBe(0);
  expect(output).toMatch(/Unused files \(1\)\s+packages\/sample\/src\/forgotten-file\.ts/);
  expect(output).toMatch(/Unused exports \(1\)\s+forgottenExport/);
  expect(output).toMatch(/Unused dependencies \(1\)\s+forgotten-dependency/);
});
