import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ENV, KEY_FILES, STDIO_HOST, StdioHostStatus } from '@patchbay/contracts';
import type { Installation } from './installation.ts';
import { until } from './installation.ts';

const FOLDER = resolve(import.meta.dirname, '../../../stdio-host');
const NODE = resolve(import.meta.dirname, '../../../../node_modules/.bin/node');
/** Not under /tmp, because a sandbox has a /tmp of its own. */
const SCRATCH = resolve(import.meta.dirname, '../../node_modules/.scratch');

/** Its tools are the lines of a file. */
export const CHANGING_SERVER = join(FOLDER, 'test/fixtures/changing-server.mjs');

const INITIALIZE = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'client', version: '1' } };

/** A stdio host as it is shipped, of an installation that was told its port. */
export class StdioHostProgram {
  readonly #home: string;
  readonly #child: ReturnType<typeof spawn>;
  readonly #secret: string;
  readonly #url: string;
  readonly #organisation: string;

  static async start(installation: Installation, port: number): Promise<StdioHostProgram> {
    const sql = await installation.sql();
    const { rows } = await sql.query<{ id: string }>('select id from organisations');
    await sql.end();
    const host = new StdioHostProgram(installation, port, rows[0]?.id ?? '');
    await until(() => fetch(`${host.#url}/livez`).catch(() => null), 'the stdio host');
    return host;
  }

  private constructor(installation: Installation, port: number, organisation: string) {
    mkdirSync(SCRATCH, { recursive: true });
    this.#home = mkdtempSync(join(SCRATCH, 'host-'));
    this.#url = `http://127.0.0.1:${port}`;
    const key = (name: string): string => join(installation.home, 'keys', name);
    this.#secret = readFileSync(key(KEY_FILES.toStdioHostSecret), 'utf8').trim();
    this.#organisation = organisation;
    const env = {
      PATH: process.env['PATH'] ?? '',
      [ENV.home]: this.#home,
      [ENV.controlPlaneInternalUrl]: `http://127.0.0.1:${installation.internalPort}`,
      [ENV.stdioHostPort]: String(port),
      [ENV.toStdioHostSecretFile]: key(KEY_FILES.toStdioHostSecret),
      [ENV.stdioHostSecretFile]: key(KEY_FILES.stdioHostSecret),
    };
    this.#child = spawn(NODE, [join(FOLDER, 'dist/main.js')], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /** How often a server has been started, as it counts itself. */
  startsOf(serverId: string): number {
    const file = join(this.#home, 'stdio', this.#organisation, serverId, 'starts');
    return existsSync(file) ? readFileSync(file).length : 0;
  }

  /** How many processes of a server run. */
  async running(serverId: string): Promise<number> {
    const answer = await fetch(`${this.#url}${STDIO_HOST.statusPath}?server=${serverId}`, { headers: this.#headers });
    return StdioHostStatus.parse(await answer.json()).processes.length;
  }

  /** A session as a gateway opens one for its client. */
  async openSession(serverId: string, generation: string): Promise<void> {
    const headers = { ...this.#headers, 'content-type': 'application/json', [STDIO_HOST.generationHeader]: generation };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE });
    const url = `${this.#url}${STDIO_HOST.path(this.#organisation, serverId)}`;
    const answer = await fetch(url, { method: 'POST', headers, body });
    if (answer.headers.get('mcp-session-id') === null) throw new Error(`no session: ${await answer.text()}`);
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
    rmSync(this.#home, { recursive: true, force: true });
  }

  get #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#secret}` };
  }
}
