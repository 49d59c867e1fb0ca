import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mainJob } from './suites/main-job.ts';
import { Platform } from './support/platform.ts';

let platform: Platform;

mainJob(async (env) => (platform = await Platform.start(env)));

test('the first start says where everything is, and keeps secrets out of a pipe', () => {
  expect(platform.output).toContain(platform.mcpUrl());
  expect(platform.output).not.toContain(platform.facts.token);
  expect(platform.output).not.toContain(platform.facts.adminPassword);
  expect(statSync(join(platform.home, 'bootstrap.json')).mode & 0o777).toBe(0o600);
});
