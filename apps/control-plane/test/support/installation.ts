import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ENV, FirstStartResult, KEY_FILES } from '@patchbay/contracts';
import { ensureRoles } from '@patchbay/ports';
import { testPostgres, type TestPostgres } from '@patchbay/testkit';
import pg from 'pg';

const DIST = resolve(import.meta.dirname, '../../dist');
const NODE = resolve(import.meta.dirname, '../../../../node_modules/.bin/node');

// Tests look into answers by path; what is not there fails the expectation.
// oxlint-disable-next-line typescript/no-explicit-any -- answers of every shape are looked into
type Json = any;

export type Answered = { readonly status: number; readonly headers: Headers; readonly body: Json; readonly text: string };

/** A control plane as it is shipped, on a Postgres of its own, with nothing else around it. */
export class Installation {
  readonly home = mkdtempSync(join(tmpdir(), 'patchbay-control-plane-'));
  env: Record<string, string> = {};
  output = '';
  first!: FirstStartResult;
  postgres!: TestPostgres;
  database!: string;
  apiPort = 0;
  internalPort = 0;
  #child: ChildProcess | null = null;
  #secrets: Record<string, string> = {};

  /** Migrated, running, and with its first start done. */
  static async start(more: Record<string, string> = {}): Promise<Installation> {
    const installation = new Installation();
    await installation.#prepare(more);
    await installation.run('migrate.js');
    await installation.up();
    installation.first = FirstStartResult.parse(JSON.parse(await installation.run('first-start.js')));
    return installation;
  }

  get url(): string {
    return `http://127.0.0.1:${this.apiPort}`;
  }

  /** Another control plane beside this one: same database, keys and stores, listeners of its own. Its `kill` ends it; this one's `stop` does not. */
  async beside(more: Record<string, string> = {}): Promise<Installation> {
    const other = new Installation();
    rmSync(other.home, { recursive: true, force: true });
    [other.postgres, other.database, other.first] = [this.postgres, this.database, this.first];
    other.#secrets = this.#secrets;
    [other.apiPort, other.internalPort] = [await freePort(), await freePort()];
    other.env = { ...this.env, [ENV.apiPort]: String(other.apiPort), [ENV.internalPort]: String(other.internalPort), ...more };
    await other.up();
    return other;
  }

  /** The sum of a counter's series whose labels hold all of `labels`, such as `{job="sweep"`. */
  async metric(name: string, ...labels: string[]): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.internalPort}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(name) && labels.every((label) => line.includes(label)));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** A connection as `owner`, `app` or, without a role, the superuser. */
  async sql(role: 'owner' | 'app' | null = null): Promise<pg.Client> {
    const connectionString = role === null ? this.postgres.superuserUrl(this.database) : this.#databaseUrl(role);
    const client = new pg.Client({ connectionString });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** One-shot program; its stdout. Rejects with its stderr. */
  async run(program: string, env: Record<string, string> = {}): Promise<string> {
    const child = spawn(NODE, [join(DIST, program)], { env: { ...this.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`${program} ended with ${String(code)}: ${err}`);
    return out;
  }

  async up(): Promise<void> {
    const child = spawn(NODE, [join(DIST, 'main.js')], { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdout.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    for (let tries = 0; tries < 200; tries += 1) {
      if (child.exitCode !== null) throw new Error(`the control plane ended with ${child.exitCode}: ${this.output}`);
      const ready = await fetch(`http://127.0.0.1:${this.internalPort}/readyz`).catch(() => null);
      if (ready?.ok === true && (await fetch(`${this.url}/api/docs`).catch(() => null)) !== null) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`the control plane does not get ready: ${this.output}`);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return null;
    child.kill(signal);
    const [code] = await once(child, 'exit');
    return code as number | null;
  }

  /** Any request. Object bodies go as JSON; text as it is. */
  async call(
    method: string,
    path: string,
    { headers = {}, body }: { headers?: Record<string, string>; body?: unknown } = {},
  ): Promise<Answered> {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { ...json, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, body: isJson && text !== '' ? JSON.parse(text) : null };
  }

  /** With the first start's API token, under the default organisation. */
  api(method: string, path: string, body?: unknown): Promise<Answered> {
    return this.call(method, `/api/v1/orgs/default${path}`, { headers: { authorization: `Bearer ${this.first.apiToken}` }, body });
  }

  /** As gateways read it: text or bytes. */
  internalResponse(path: string): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#secrets['gatewaySecret']}` };
    return fetch(`http://127.0.0.1:${this.internalPort}${path}`, { headers });
  }

  /** As one of our own programs. */
  async internal(
    path: string,
    { as = 'gatewaySecret', method = 'GET', body }: { as?: string; method?: string; body?: unknown } = {},
  ): Promise<Answered> {
    const headers = {
      authorization: `Bearer ${this.#secrets[as] ?? as}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const response = await fetch(`http://127.0.0.1:${this.internalPort}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : null,
    };
  }

  /** Bytes as they are to the API; what comes back within half a second. */
  raw(bytes: string): Promise<string> {
    return new Promise((done) => {
      let answer = '';
      const socket = connect(this.apiPort, '127.0.0.1', () => socket.write(bytes));
      socket.setTimeout(500, () => socket.destroy());
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      socket.on('error', () => undefined);
      socket.on('close', () => done(answer));
    });
  }

  /** The internal listener's status for a GET under another `Host`. */
  internalStatus(path: string, host: string): Promise<number | undefined> {
    return new Promise((done, fail) => {
      request({ host: '127.0.0.1', port: this.internalPort, path, headers: { host } }, (response) => {
        response.resume();
        done(response.statusCode);
      })
        .on('error', fail)
        .end();
    });
  }

  /** Headers of a signed-in browser. */
  async signIn(organisation: string, email: string, password: string): Promise<Record<string, string>> {
    const browser = { origin: this.url, 'patchbay-request': '1' };
    const answer = await this.call('POST', '/api/v1/session', { headers: browser, body: { organisation, email, password } });
    if (answer.status !== 201) throw new Error(`sign-in answered ${answer.status}: ${answer.text}`);
    return { ...browser, cookie: String(answer.headers.get('set-cookie')).split(';', 1)[0] ?? '' };
  }

  async stop(): Promise<void> {
    await this.kill('SIGTERM');
    await this.postgres.stop();
    rmSync(this.home, { recursive: true, force: true });
  }

  #databaseUrl(role: 'owner' | 'app'): string {
    return `postgres://patchbay_${role}:${role}@127.0.0.1:${this.postgres.port}/${this.database}`;
  }

  async #prepare(more: Record<string, string>): Promise<void> {
    this.postgres = await testPostgres();
    const admin = new pg.Client({ connectionString: this.postgres.superuserUrl('postgres') });
    await admin.connect();
    await ensureRoles(admin, { appPassword: 'app', portsPassword: 'ports', ownerPassword: 'owner' });
    this.database = await this.postgres.createDatabase();
    await admin.query(`alter database ${this.database} owner to patchbay_owner`);
    await admin.end();
    [this.apiPort, this.internalPort] = [await freePort(), await freePort()];
    this.env = { ...this.#writeFiles(), PATH: process.env['PATH'] ?? '', ...this.#addresses(), ...more };
  }

  #addresses(): Record<string, string> {
    return {
      [ENV.home]: this.home,
      [ENV.drainAnnounceMs]: '0',
      [ENV.apiPort]: String(this.apiPort),
      [ENV.internalPort]: String(this.internalPort),
      [ENV.stdioHostUrl]: 'http://127.0.0.1:9',
      [ENV.refusedAddresses]: `127.0.0.1:${this.apiPort},127.0.0.1:${this.internalPort},127.0.0.1:${this.postgres.port}`,
      [ENV.exampleEverything]: '/examples/everything.js',
      [ENV.exampleMemory]: '/examples/memory.js',
    };
  }

  /** Keys and secrets as files; the variables that name them. */
  #writeFiles(): Record<string, string> {
    const keys = join(this.home, 'keys');
    mkdirSync(keys, { mode: 0o700 });
    const random = (): string => randomBytes(32).toString('base64url');
    const { privateKey } = generateKeyPairSync('ed25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    this.#secrets = { gatewaySecret: random(), stdioHostSecret: random(), toStdioHostSecret: random() };
    const files: [string, string, string][] = [
      [ENV.masterKeyFile, KEY_FILES.master, random()],
      [ENV.tokenTagKeyFile, KEY_FILES.tokenTag, random()],
      [ENV.snapshotSigningKeyFile, KEY_FILES.snapshotSigning, privateKey],
      [ENV.gatewaySecretFile, KEY_FILES.gatewaySecret, this.#secrets['gatewaySecret'] ?? ''],
      [ENV.stdioHostSecretFile, KEY_FILES.stdioHostSecret, this.#secrets['stdioHostSecret'] ?? ''],
      [ENV.toStdioHostSecretFile, KEY_FILES.toStdioHostSecret, this.#secrets['toStdioHostSecret'] ?? ''],
      [ENV.databaseUrlFile, KEY_FILES.databaseUrl, this.#databaseUrl('app')],
      [ENV.ownerDatabaseUrlFile, KEY_FILES.ownerDatabaseUrl, this.#databaseUrl('owner')],
    ];
    for (const [, name, content] of files) writeFileSync(join(keys, name), content, { mode: 0o600 });
    return Object.fromEntries(files.map(([variable, name]) => [variable, join(keys, name)]));
  }
}

/** Asks until `look` gives something; fails after ten seconds. */
export async function until<T>(look: () => Promise<T | null | undefined | false>, what: string): Promise<T> {
  for (let tries = 0; tries < 400; tries += 1) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`waited in vain for ${what}`);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
