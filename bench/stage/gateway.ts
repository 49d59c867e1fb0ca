import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { ENV } from '@patchbay/contracts';
import { reservePort } from '../../e2e/support/ports.ts';
import { until } from '../../e2e/support/until.ts';
import { type Child, startChild, tailOf } from './child.ts';

/** A gateway under measurement: the program that ships, with everything on. */
export type Gateway = Child & { readonly port: number; readonly adminPort: number };

export type GatewayOptions = {
  /** Where it, and whatever it keeps, may lie. */
  readonly folder: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly redisUrl: string;
  readonly controlPlaneUrl: string;
  /** Takes its traces. */
  readonly collectorUrl: string;
  /** Further options of Node: preloaded modules, a profile. */
  readonly nodeOptions?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

const SCRIPT = join(import.meta.dirname, '../../apps/gateway/dist/main.js');
/** Nobody runs there: the organisations of a benchmark have no stdio servers. */
const NO_STDIO_HOST = 'http://127.0.0.1:9';
const READY_TIMEOUT_MS = 60_000;

/** Starts one and resolves when it says that it is ready. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const [port, adminPort] = [await reservePort(), await reservePort()];
  const home = mkdtempSync(join(options.folder, 'gateway-'));
  const env = {
    ...options.keys,
    [ENV.home]: home,
    [ENV.gatewayPort]: String(port),
    [ENV.adminPort]: String(adminPort),
    [ENV.redisUrl]: options.redisUrl,
    [ENV.controlPlaneInternalUrl]: options.controlPlaneUrl,
    [ENV.stdioHostUrl]: NO_STDIO_HOST,
    [ENV.drainAnnounceMs]: '0',
    [ENV.drainMs]: '1000',
    OTEL_EXPORTER_OTLP_ENDPOINT: options.collectorUrl,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.01',
    ...options.env,
  };
  const args = ['--disable-sigusr1', ...(options.nodeOptions ?? []), SCRIPT];
  const child = startChild({ name: 'gateway', command: process.execPath, args, env, folder: home });
  const gateway = { ...child, port, adminPort };
  await until(() => isReady(gateway), { what: 'the gateway being ready', timeoutMs: READY_TIMEOUT_MS }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${tailOf(child)}`);
  });
  return gateway;
}

function isReady({ adminPort }: Gateway): Promise<boolean> {
  return fetch(`http://127.0.0.1:${adminPort}/readyz`).then(
    (answer) => answer.arrayBuffer().then(() => answer.ok),
    () => false,
  );
}

/** What its admin listener exports now. */
export async function metricsOf({ adminPort }: Gateway): Promise<string> {
  return (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
}
