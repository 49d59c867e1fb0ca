import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BootstrapFile, FirstStartResult } from '@patchbay/contracts';
import { ENV, KEY_FILES } from '@patchbay/contracts/environment';
import { asFirstStartResult, readFacts, writeFacts } from './bootstrap-facts.ts';
import type { Config } from './config.ts';
import { ensureDatabaseUrls, loopback } from './database-urls.ts';
import { bareEnvironment, firstStartEnvironment, migrateEnvironment, urlsOf, type Layout } from './environments.ts';
import { FirstCaller } from './first-caller.ts';
import type { Home } from './home.ts';
import { ask } from './http-json.ts';
import { installationApi, type InstallationApi } from './installation-api.ts';
import { INSTALLATION } from './installation.ts';
import { ensureKeys, readKey } from './keys.ts';
import { ProcessRecord } from './leftovers.ts';
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

/** Everything that one `patchbay up` runs. */
export class Platform {
  readonly #options: PlatformOptions;
  readonly #record: ProcessRecord;
  /** Aborted when the start has failed or is over: nothing of it goes on then. */
  readonly #givenUp = new AbortController();
  #postgres: PostgresKeeper | null = null;
  #programs: Programs | null = null;

  constructor(options: PlatformOptions) {
    this.#options = options;
    this.#record = new ProcessRecord(options.home.run);
  }

  /** Resolves when calls are answered and the start page is printed. Rejects with what the person has to know; `stop` ends the attempt. */
  async start(stop: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([stop, this.#givenUp.signal]);
    const startedAt = performance.now();
    const { config, home, terminal } = this.#options;
    const left = await terminal.step('Ending what an earlier run left behind', () => this.#record.clean());
    if (left > 0) terminal.line(`Ended ${left} processes that an earlier run had left behind.`);
    await checkPublicPorts(config.publicPorts);
    ensureKeys({ folder: home.keys, masterKeyFile: config.masterKeyFile, hasData: existsSync(home.postgres) });
    signal.throwIfAborted();
    const layout = await this.#startPostgres(signal);
    const caller = this.#prepareFirstCall(layout, signal);
    const { made, tool } = await this.#makeUsable(layout, signal);
    const facts = this.#factsOf(layout, made);
    const firstCall = await terminal.step('Making the first call', () => caller.call({ mcpUrl: facts.mcpUrl, token: facts.token, tool }));
    writeFacts(home.bootstrapFile, facts);
    const missingIsolation = await this.#missingIsolation(layout);
    const stdioCommand = [process.execPath, INSTALLATION.programs.cli, 'connect'];
    const where = { bootstrapFile: home.bootstrapFile, home: home.root, stdioCommand };
    const page = { facts, firstCall, missingIsolation, showsSecrets: terminal.showsSecrets, ...where };
    const seconds = (performance.now() - startedAt) / 1000;
    terminal.line(renderStartPage({ ...page, adminUrl: urlsOf(layout).admin, masterKeyInHome: this.#masterKeyIsInHome(), seconds }));
  }

  /** Gateway, then control plane and stdio host, then Postgres. Resolves when nothing is left; never rejects. */
  async stop(hurry: AbortSignal): Promise<void> {
    this.#givenUp.abort();
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
      secrets: ensureDatabaseUrls(home.keys, loopback(running.port)),
      dataDir: home.postgres,
      sources: [INSTALLATION.migrations, INSTALLATION.programs.migrate, INSTALLATION.lockfile],
      migrate,
    });
    signal.throwIfAborted();
    return layout;
  }

  /** Programs that answer, and tokens that work: those of an earlier start, or new ones. `tool`: which one can be called, if any. */
  async #makeUsable(layout: Layout, signal: AbortSignal): Promise<{ made: FirstStartResult; tool: string | null }> {
    const { home, terminal } = this.#options;
    const { controlPlane, gateway, stdioHost } = this.#startPrograms(layout);
    const before = readFacts(home.bootstrapFile);
    // Beside the control plane's own start: it needs the database alone.
    const first = before === null ? this.#firstStart(layout, signal) : null;
    first?.catch(() => undefined);
    await terminal.step('Starting the control plane', () => unless(signal, controlPlane.firstReady));
    const made =
      first === null ? await this.#renewed(layout, before, signal) : await terminal.step('Making the first organisation', () => first);
    const api = this.#apiOf(layout, made);
    const others = Promise.all([gateway.firstReady, stdioHost.firstReady]);
    const isOff = layout.given[ENV.stdio] === 'off';
    const [example] = await Promise.all([
      isOff ? null : api.server(EXAMPLE),
      terminal.step('Starting the gateway and the stdio host', () => unless(signal, others)),
    ]);
    if (first !== null && !isOff) await terminal.step('Looking at the example servers', () => waitForExamples(api, signal));
    return { made, tool: example === null ? null : EXAMPLE_TOOL };
  }

  /** What an earlier start made, with another token where the old one ends soon or was revoked. */
  async #renewed(layout: Layout, before: FirstStartResult | null, signal: AbortSignal): Promise<FirstStartResult> {
    const api = before === null ? null : this.#apiOf(layout, before);
    const state = before === null || api === null ? 'refused' : await api.tokenState(before.token);
    if (before === null || api === null || state === 'refused')
      return this.#options.terminal.step('Making new tokens', () => this.#firstStart(layout, signal));
    return state === 'good' ? before : { ...before, token: await api.mintToken() };
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

  #startPrograms(layout: Layout): Programs {
    const programs = describePrograms(layout, { terminal: this.#options.terminal, record: this.#record });
    this.#programs = programs;
    for (const program of Object.values(programs)) program.start();
    return programs;
  }

  #prepareFirstCall(layout: Layout, signal: AbortSignal): FirstCaller {
    return new FirstCaller({
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

/** The work's result, unless we are told to stop before. */
function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const stopped = new Promise<never>((_done, failed) => {
    const fail = (): void => failed(new StartFailure('Stopped before the start was complete.'));
    if (signal.aborted) fail();
    signal.addEventListener('abort', fail, { once: true });
  });
  return Promise.race([work, stopped]);
}
