import { join } from 'node:path';
import type { Platform } from './platform.ts';
import { reservePort } from './ports.ts';
import { environmentOf, pidsOf } from './processes.ts';
import { Program } from './scaled/program.ts';

const SCRIPT = 'apps/gateway/dist/main.js';

export type ExtraGateways = { readonly ports: readonly number[]; stop(): Promise<void> };

/**
 * Further gateways beside the one that an embedded platform runs, on the same stores and keys: each is given what that one was given, but
 * a folder and ports of its own. Resolves when all are ready.
 */
export async function startExtraGateways(platform: Platform, count: number): Promise<ExtraGateways> {
  const [pid] = pidsOf(platform.home, SCRIPT);
  if (pid === undefined) throw new Error('the platform runs no gateway');
  const given = environmentOf(pid);
  const started = await Promise.all(Array.from({ length: count }, (_, index) => startOne(platform, given, `gateway-${index + 2}`)));
  return {
    ports: started.map(({ port }) => port),
    stop: async () => void (await Promise.all(started.map(({ program }) => program.end('SIGTERM')))),
  };
}

async function startOne(
  platform: Platform,
  given: Readonly<Record<string, string>>,
  name: string,
): Promise<{ port: number; program: Program }> {
  const [port, adminPort] = [await reservePort(), await reservePort()];
  const program = new Program({
    name,
    script: SCRIPT,
    env: {
      ...given,
      PATCHBAY_HOME: join(platform.home, name),
      PATCHBAY_GATEWAY_PORT: String(port),
      PATCHBAY_ADMIN_PORT: String(adminPort),
    },
    readyUrl: `http://127.0.0.1:${adminPort}/readyz`,
    logFile: join(platform.home, 'logs', `${name}.log`),
    onExit: () => undefined,
  });
  await program.start();
  return { port, program };
}
