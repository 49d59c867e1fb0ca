import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BootstrapFile, KEY_FILES } from '@patchbay/contracts';
import { Api } from './api.ts';
import { reservePort } from './ports.ts';
import { callModern } from './raw.ts';
import { dumpPostgres, secretsIn } from './stored.ts';
import type { TestPlatform } from './test-platform.ts';
import { until } from './until.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'apps/cli/dist/main.js');

export type Ports = { api: number; gateway: number; admin: number };

/** The whole platform as `npm start` runs it: the same supervisor, its own home, free ports. */
export class Platform implements TestPlatform {
  readonly home: string;
  readonly ports: Ports;
  output = '';
  #process: ChildProcess | null = null;
  #bootstrap: BootstrapFile | null = null;

  private constructor(home: string, ports: Ports) {
    this.home = home;
    this.ports = ports;
  }

  /** A home and ports of its own; nothing runs yet. */
  static async prepare(): Promise<Platform> {
    const [api, gateway, admin] = await Promise.all([reservePort(), reservePort(), reservePort()]);
    return new Platform(mkdtempSync(join(tmpdir(), 'patchbay-e2e-')), { api, gateway, admin });
  }

  static async start(env: Record<string, string> = {}): Promise<Platform> {
    const platform = await Platform.prepare();
    await platform.up(env).catch(async (error: unknown) => {
      // Nobody else knows of it yet.
      await platform.dispose();
      throw error;
    });
    return platform;
  }

  /** Starts and waits until the first tool call has been answered; seconds it took. */
  async up(env: Record<string, string> = {}): Promise<number> {
    const startedAt = Date.now();
    const child = this.spawn(env);
    const exited = new Promise<never>((_resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`patchbay ended with ${code} before it was ready:\n${this.output}`)));
    });
    exited.catch(() => {});
    await Promise.race([exited, until(() => this.isReady(), { what: 'the start page', timeoutMs: 180_000 })]);
    this.#bootstrap = BootstrapFile.parse(JSON.parse(readFileSync(join(this.home, 'bootstrap.json'), 'utf8')));
    return (Date.now() - startedAt) / 1000;
  }

  spawn(env: Record<string, string> = {}): ChildProcess {
    this.output = '';
    const child = spawn(process.execPath, ['--disable-sigusr1', PROGRAM, 'up'], {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: process.env['HOME'] ?? '',
        PATCHBAY_HOME: this.home,
        PATCHBAY_API_PORT: String(this.ports.api),
        PATCHBAY_GATEWAY_PORT: String(this.ports.gateway),
        PATCHBAY_ADMIN_PORT: String(this.ports.admin),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const append = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    child.stdout.on('data', append);
    child.stderr.on('data', append);
    this.#process = child;
    return child;
  }

  private isReady(): boolean {
    return this.output.includes('Patchbay is ready');
  }

  get process(): ChildProcess {
    if (this.#process === null) throw new Error('not started');
    return this.#process;
  }

  get facts(): BootstrapFile {
    if (this.#bootstrap === null) throw new Error('not ready yet');
    return this.#bootstrap;
  }

  get gatewayUrl(): string {
    return `http://127.0.0.1:${this.ports.gateway}`;
  }

  /** The API as its installation operator, by API token. */
  get api(): Api {
    return new Api(`http://127.0.0.1:${this.ports.api}`, this.facts.org, this.facts.apiToken);
  }

  mcpUrl(server?: string, organisation = this.facts.org): string {
    return server === undefined ? `${this.gatewayUrl}/${organisation}/mcp` : `${this.gatewayUrl}/${organisation}/${server}/mcp`;
  }

  endpoints(server?: string, organisation?: string): string[] {
    return [this.mcpUrl(server, organisation)];
  }

  get adminUrls(): string[] {
    return [`http://127.0.0.1:${this.ports.admin}`];
  }

  get folders(): TestPlatform['folders'] {
    return { gateways: [join(this.home, 'gateway')], logs: join(this.home, 'logs') };
  }

  dump(): Promise<unknown[]> {
    const url = new URL(readFileSync(join(this.home, 'keys', KEY_FILES.databaseUrl), 'utf8').trim());
    url.username = 'postgres';
    url.password = this.secrets()[KEY_FILES.superuserPassword] ?? '';
    return dumpPostgres(url.href);
  }

  secrets(): Record<string, string> {
    return secretsIn(join(this.home, 'keys'));
  }

  printed(): Record<string, string> {
    return { 'start page': this.output };
  }

  /** Registers a server and waits until the gateway serves it. */
  async register(slug: string, url: string, more: Record<string, unknown> = {}): Promise<void> {
    await this.api.register(slug, url, more);
    const listed = async (): Promise<boolean> =>
      (await callModern(this.mcpUrl(slug), this.facts.token, 'tools/list')).json.result !== undefined;
    await until(listed, { what: `${slug} at the gateway` });
  }

  /** Ends it with a signal; resolves with the exit code (null: killed by the signal). */
  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.process;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return ended;
  }

  /** Stops and removes the home. */
  async dispose(): Promise<void> {
    if (this.#process !== null) await this.down();
    rmSync(this.home, { recursive: true, force: true });
  }
}
