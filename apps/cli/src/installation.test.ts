import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { INSTALLATION } from './installation.ts';

// Guarantee: what a first start registered still runs after an update brought another version of it.
test('the example servers are registered by paths that exist and name no version', () => {
  for (const path of Object.values(INSTALLATION.examples())) {
    expect(existsSync(path), path).toBe(true);
    expect(path).not.toMatch(/\d+\.\d+\.\d+|\.pnpm/);
  }
});
