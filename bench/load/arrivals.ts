import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { quantile } from '../measure/statistics.ts';
import { type HttpMessage, rawBytes } from './http-message.ts';
import type { OpenLoopPlan } from './open-loop.ts';

export type Arrivals = Omit<OpenLoopPlan, 'requests'> & { readonly messages: readonly HttpMessage[]; readonly folder: string };

/** Milliseconds from the moment at which a request was due. */
export type Latencies = { readonly p50: number; readonly p99: number; readonly p999: number; readonly failed: number };

const Result = z.object({ latenciesMs: z.array(z.number()), failed: z.number() });
const PROGRAM = join(import.meta.dirname, '../programs/open-loop.ts');
let plans = 0;

/** A load of a fixed arrival rate, made by a process of its own. */
export async function arrive({ folder, messages, ...plan }: Arrivals): Promise<Latencies> {
  const name = join(folder, `arrivals-${(plans += 1)}`);
  const requests = messages.map((message) => rawBytes(plan.port, message).toString('base64'));
  writeFileSync(`${name}.plan`, JSON.stringify({ ...plan, requests } satisfies OpenLoopPlan));
  await finished(spawn(process.execPath, [PROGRAM, `${name}.plan`, `${name}.answer`], { stdio: ['ignore', 'ignore', 'inherit'] }));
  const { failed, latenciesMs } = Result.parse(JSON.parse(readFileSync(`${name}.answer`, 'utf8')));
  return { p50: quantile(latenciesMs, 0.5), p99: quantile(latenciesMs, 0.99), p999: quantile(latenciesMs, 0.999), failed };
}

function finished(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`the load ended with ${code}`))));
  });
}
