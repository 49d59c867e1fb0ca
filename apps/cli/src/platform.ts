import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BootstrapFile, FirstStartResult } from '@patchbay/contracts';
import { KEY_FILES } from '@patchbay/contracts/environment';
import { asFirstStartResult, readFacts, writeFacts } from './bootstrap-facts.ts';
import type { Config } from './config.ts';
import { ensureDatabaseUrls } from './database-urls.ts';
import { bareEnvironment, firstStartEnvironment, migrateEnvironment, urlsOf, type Layout } from './environments.ts';
import type { Home } from './home.ts';
import { ask } from './http-json.ts';
import { installationApi, type InstallationApi } from './installation-api.ts';
import { INSTALLATION } from './installation.ts';
import { ensureKeys, readKey } from './keys.ts';
import { ProcessRecord } from './leftovers.ts';
import { makeFirstCall, type FirstCall } from './make-first-call.ts';
import { runOnce } from './one-shot.ts';
import { checkPublicPorts, pickInternalPorts } from './ports.ts';
import { PostgresKeeper } from './postgres-keeper.ts';
import { prepareDatabase } from './prepare-database.ts';
import { describePrograms, type Programs } from './programs.ts';
import { StartFailure } from './start-failure.ts';
import { renderStartPage } from './start-page.ts';
import type { Terminal } from './terminal.ts';
import { waitForExamples } from './wait-for-examples.ts';

export type PlatformOptions = { readonly config: Config; readonly home: Home; readonly terminal: Terminal; readonly nowMs: () => number };

const EXAMPLE = 'everything';
const EXAMPLE_TOOL = `${EXAMPLE}_echo`;
const FIRST_CALL_WITHIN_MS = 20_000;

/** Everything that one `patchbay up` runs. */
export class Platform {
  readonly #options: PlatformOptions;
  readonly #record: ProcessRecord;
  #postgres: PostgresKeeper | null = null;
  #programs: Programs | null = null;

  constructor(options: PlatformOptions) {
    this.#options = options;
    this.#record = new ProcessRecord(options.home.run);
  }

  /** Resolves when calls are answered and the start page is printed. Rejects with what the person has to know; `signal` gives up. */
  async start(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    const { config, home, terminal } = this.#options;
    const left = await terminal.step('Ending what an earlier run left behind', () => this.#record.clean());
    if (left > 0) terminal.line(`Ended ${left} processes that an earlier run had left behind.`);
    await checkPublicPorts(config.publicPorts);
    ensureKeys({ folder: home.keys, masterKeyFile: config.masterKeyFile, hasData: existsSync(home.postgres) });
    signal.throwIfAborted();
    const layout = await this.#startPostgres(signal);
    this.#programs = describePrograms(layout, { terminal, record: this.#record });
    for (const program of Object.values(this.#programs)) program.start();
    const result = await this.#makeUsable(layout, signal);
    const facts = this.#factsOf(layout, result.made);
    const firstCall = await terminal.step('Making the first call', () => this.#firstCall(layout, { facts, api: result.api, signal }));
    writeFacts(home.bootstrapFile, facts);
    const missingIsolation = await this.#missingIsolation(layout);
    const page = { facts, firstCall, missingIsolation, bootstrapFile: home.bootstrapFile, showsSecrets: terminal.showsSecrets };
    const seconds = (performance.now() - startedAt) / 1000;
    terminal.line(renderStartPage({ ...page, adminUrl: urlsOf(layout).admin, masterKeyInHome: this.#masterKeyIsInHome(), seconds }));
  }

  /** Gateway, then control plane and stdio host, then Postgres. Resolves when nothing is left; never rejects. */
  async stop(hurry: AbortSignal): Promise<void> {
    const { terminal } = this.#options;
    const stopping = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      terminal.line(`Stopping ${what}.`);
      await work().catch((error: unknown) => terminal.foreign(String(error)));
    };
    const programs = this.#programs;
    if (programs !== null) {
      await stopping('the gateway', () => programs.gateway.stop(hurry));
      await stopping('the control plane and the stdio host', () =>
        Promise.all([programs.controlPlane.stop(hurry), programs.stdioHost.stop(hurry)]),
      );
    }
    const postgres = this.#postgres;
    if (postgres !== null) await stopping('Postgres', () => postgres.stop());
  }

  async #startPostgres(signal: AbortSignal): Promise<Layout> {
    const { config, home, terminal } = this.#options;
    const superuserPassword = readKey(home.keys, KEY_FILES.superuserPassword);
    this.#postgres = new PostgresKeeper({ dataDir: home.postgres, logFile: join(home.logs, 'postgres.log'), superuserPassword }, terminal);
    const keeper = this.#postgres;
    const running = await terminal.step('Starting Postgres', () => keeper.start());
    if (running.adopted) terminal.line('Took over the Postgres that an earlier run had left behind.');
    signal.throwIfAborted();
    const { publicPorts, masterKeyFile, given } = config;
    const internalPorts = await pickInternalPorts([...Object.values(publicPorts), running.port]);
    const layout: Layout = { home, masterKeyFile, given, ports: { ...publicPorts, ...internalPorts, postgres: running.port } };
    const logFile = join(home.logs, 'migrate.log');
    const program = { name: 'migrate', script: INSTALLATION.programs.migrate, environment: migrateEnvironment(layout) };
    const migrate = async (): Promise<void> => {
      await terminal.step('Migrating the database', () => runOnce({ ...program, logFile, record: this.#record, signal }));
    };
    await prepareDatabase({
      superuserUrl: (database) => running.superuserUrl(database),
      secrets: ensureDatabaseUrls(home.keys, running.port),
      dataDir: home.postgres,
      sources: [INSTALLATION.migrations, INSTALLATION.programs.migrate, INSTALLATION.lockfile],
      migrate,
    });
    signal.throwIfAborted();
    return layout;
  }

  /** Programs that answer, and an organisation with tokens that work: those of an earlier start, or new ones. */
  async #makeUsable(layout: Layout, signal: AbortSignal): Promise<{ made: FirstStartResult; api: InstallationApi }> {
    const { home, terminal } = this.#options;
    const programs = this.#programs;
    if (programs === null) throw new Error('nothing was started');
    const given = (work: Promise<unknown>): Promise<unknown> => Promise.race([work, rejectOn(signal)]);
    const before = readFacts(home.bootstrapFile);
    const early = before === null ? this.#firstStart(layout, signal) : null;
    const others = Promise.all([programs.gateway.firstReady, programs.stdioHost.firstReady]);
    others.catch(() => undefined);
    early?.catch(() => undefined);
    await terminal.step('Starting the control plane', () => given(programs.controlPlane.firstReady));
    let made = early === null ? before : await terminal.step('Making the first organisation', () => early);
    if (made === null) throw new Error('neither old facts nor new ones');
    let api = this.#apiOf(layout, made);
    const state = early === null ? await api.tokenState(made.token) : 'good';
    if (state === 'ending') made = { ...made, token: await api.mintToken() };
    if (state === 'refused') {
      made = await terminal.step('Making new tokens', () => this.#firstStart(layout, signal));
      api = this.#apiOf(layout, made);
    }
    await terminal.step('Starting the gateway and the stdio host', () => given(others));
    if (early !== null) await terminal.step('Looking at the example servers', () => waitForExamples(api, signal));
    return { made, api };
  }

  async #firstStart(layout: Layout, signal: AbortSignal): Promise<FirstStartResult> {
    const output = await runOnce({
      name: 'first start',
      script: INSTALLATION.programs.firstStart,
      environment: firstStartEnvironment(layout, INSTALLATION.examples()),
      logFile: join(layout.home.logs, 'first-start.log'),
      record: this.#record,
      signal,
    });
    const last = output.trim().split('\n').at(-1) ?? '';
    const result = asFirstStartResult(parseJson(last));
    // Not shown: what it printed may hold a secret.
    if (result === null) throw new StartFailure('The first start printed something else than its result.');
    return result;
  }

  #apiOf(layout: Layout, { org, apiToken }: FirstStartResult): InstallationApi {
    return installationApi({ apiUrl: urlsOf(layout).api, org, apiToken, nowMs: this.#options.nowMs });
  }

  #factsOf(layout: Layout, made: FirstStartResult): BootstrapFile {
    const { api, gateway } = urlsOf(layout);
    return { apiUrl: api, gatewayUrl: gateway, mcpUrl: `${gateway}/${made.org}/mcp`, ...made };
  }

  /** The example's tool; the list of tools where somebody has removed the example. */
  async #firstCall(layout: Layout, how: { facts: BootstrapFile; api: InstallationApi; signal: AbortSignal }): Promise<FirstCall> {
    const { facts, api, signal } = how;
    const example = await api.server(EXAMPLE);
    return makeFirstCall({
      mcpUrl: facts.mcpUrl,
      token: facts.token,
      tool: example === null ? null : EXAMPLE_TOOL,
      withinMs: FIRST_CALL_WITHIN_MS,
      script: INSTALLATION.programs.firstCall,
      environment: bareEnvironment(layout),
      logFile: join(layout.home.logs, 'first-call.log'),
      record: this.#record,
      signal,
    });
  }

  async #missingIsolation(layout: Layout): Promise<string[] | null> {
    const bearer = readKey(layout.home.keys, KEY_FILES.toStdioHostSecret);
    const { json } = await ask(`${urlsOf(layout).stdioHost}/status`, { bearer }).catch(() => ({ json: null }));
    const isolation = typeof json === 'object' && json !== null && 'isolation' in json ? json.isolation : null;
    const missing = typeof isolation === 'object' && isolation !== null && 'missing' in isolation ? isolation.missing : null;
    return Array.isArray(missing) ? missing.map(String) : null;
  }

  #masterKeyIsInHome(): boolean {
    const { config, home } = this.#options;
    return config.masterKeyFile === null || config.masterKeyFile.startsWith(join(home.root, '/'));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_done, failed) => {
    const fail = (): void => failed(new StartFailure('Stopped before the start was complete.'));
    if (signal.aborted) fail();
    signal.addEventListener('abort', fail, { once: true });
  });
}
