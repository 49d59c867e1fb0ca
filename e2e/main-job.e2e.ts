import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Command, stdioClient, textOf } from './support/clients.ts';
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

test.each(['1.32', '2.4'] as const)('what the start page says to start works as it stands, with client %s', async (version) => {
  const { output } = platform;
  const from = output.indexOf('{', output.indexOf('Claude Desktop'));
  const snippet = JSON.parse(output.slice(from, output.indexOf('\n\n', from))) as { mcpServers: { patchbay: Command } };
  const client = await stdioClient(version, snippet.mcpServers.patchbay);
  expect(textOf(await client.callTool({ name: 'everything_echo', arguments: { message: 'hi' } }))).toBe('Echo: hi');
  await client.close();
});
