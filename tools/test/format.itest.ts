import { expect, test } from 'vitest';
import { makeCheckout } from './support/checkout.ts';

test('a file in another format fails the check and is named; the same file in ours passes', async () => {
  const checkout = makeCheckout({ copied: ['biome.json', '.gitignore'], installed: false });
  const format = () => checkout.run('tools/node_modules/@biomejs/biome/bin/biome', 'format', '.');
  checkout.write({ 'packages/sample/src/limit.ts': "export const LIMIT = { bytes: 10, name: 'a' };\n" });
  expect(await format()).toMatchObject({ code: 0 });
  checkout.write({ 'packages/sample/src/loose.ts': 'export const LIMIT = {bytes: 10, name: "a"}\n' });
  const { code, output } = await format();
  expect(code).not.toBe(0);
  expect(output).toContain('packages/sample/src/loose.ts');
  expect(output).not.toContain('limit.ts');
});
