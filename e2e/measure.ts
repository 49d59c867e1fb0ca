/**
 * Prints the figures of the main job on this machine: first and warm start, memory of each process (PSS), and `tools/call`
 * through the gateway against the same upstream direct, alternating in one run. `node_modules/.bin/node e2e/measure.ts`.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { startModernUpstream } from '@patchbay/testkit';
import { Platform } from './support/platform.ts';
import { processesOf } from './support/processes.ts';
import { modern } from './support/raw.ts';

const ROUNDS = 20;
const CALLS_PER_ROUND = 100;
const IDLE_SETTLE_MS = 8_000;

const platform = await Platform.prepare();
const upstream = await startModernUpstream();
try {
  print('first start to first answered call, s', (await platform.up({ PATCHBAY_STDIO_IDLE_MS: '2000' })).toFixed(1));
  await platform.down();
  print('warm start to first answered call, s', (await platform.up({ PATCHBAY_STDIO_IDLE_MS: '2000' })).toFixed(1));
  await sleep(IDLE_SETTLE_MS);
  printMemory();
  await platform.register('measured', upstream.url);
  await measureCalls();
} finally {
  await platform.dispose();
  await upstream.close();
}

function printMemory(): void {
  const rows = processesOf(platform.home).map(({ pid, command }) => ({ name: nameOf(command), pss: pssMb(pid) }));
  const total = new Map<string, number>();
  for (const { name, pss } of rows) total.set(name, (total.get(name) ?? 0) + pss);
  for (const [name, pss] of total) print(`memory idle, ${name}, MB PSS`, pss.toFixed(0));
  print('memory idle, all of the above, MB PSS', [...total.values()].reduce((sum, pss) => sum + pss, 0).toFixed(0));
}

function nameOf(command: string): string {
  return /apps\/([a-z-]+)\//.exec(command)?.[1] ?? (command.includes('postgres') ? 'postgres' : command.slice(0, 40));
}

function pssMb(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

async function measureCalls(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { body, headers } = modern('tools/call', { name: 'echo', arguments: { message: 'x'.repeat(800) } });
  const common = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers };
  const call = (url: string, more: Record<string, string> = {}): Promise<number> => timed(url, { ...common, ...more }, { agent, body });
  const through = (): Promise<number> => call(platform.mcpUrl('measured'), { authorization: `Bearer ${platform.facts.token}` });
  const direct = (): Promise<number> => call(upstream.url);
  const samples = { direct: [] as number[], through: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let index = 0; index < CALLS_PER_ROUND; index += 1) samples.direct.push(await direct());
    for (let index = 0; index < CALLS_PER_ROUND; index += 1) samples.through.push(await through());
  }
  // The first rounds warm both sides up.
  for (const [name, all] of Object.entries(samples)) {
    const sorted = all.slice(all.length / 4).sort((a, b) => a - b);
    print(`tools/call ${name}, p50 ms`, quantile(sorted, 0.5).toFixed(3));
    print(`tools/call ${name}, p99 ms`, quantile(sorted, 0.99).toFixed(3));
  }
  agent.destroy();
}

function timed(url: string, headers: Record<string, string>, { agent, body }: { agent: Agent; body: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const sent = request(url, { method: 'POST', agent, headers: { ...headers, 'content-length': Buffer.byteLength(body) } }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 200 ? resolve(performance.now() - startedAt) : reject(new Error(`status ${response.statusCode}`)),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function print(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(48)} ${figure.padStart(8)}\n`);
}
