import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findExecutable } from '../process/find-executable.ts';
import { confine, type SandboxTools } from './confine.ts';

/** What this machine can do to confine a server; `missing` says in words why `tools` is null. */
export type Sandbox = { readonly tools: SandboxTools | null; readonly missing: readonly string[] };

const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const PROBE_TIMEOUT_MS = 10_000;

/** Where the private trees are mounted while they are built; empty outside the namespaces. */
export function scratchDirectory(home: string): string {
  return join(home, 'stdio', '.sandbox');
}

/** Confines a real program once, exactly as servers will be, and reports what stood in the way. Never throws. */
export async function probeSandbox(home: string, needed: readonly string[]): Promise<Sandbox> {
  if (process.platform !== 'linux') return { tools: null, missing: [`namespaces (this is ${process.platform}; they need Linux)`] };
  const found = await findTools();
  if ('missing' in found) return { tools: null, missing: found.missing };
  if (needed.some((path) => path.startsWith(`${home}/`))) {
    return { tools: null, missing: ['a PATCHBAY_HOME that does not contain the programs themselves'] };
  }
  const asUser = await tryOnce({ ...found, userNamespace: true }, home, needed);
  if (asUser === null) return { tools: { ...found, userNamespace: true }, missing: [] };
  if (process.getuid?.() === 0 && (await tryOnce({ ...found, userNamespace: false }, home, needed)) === null) {
    return { tools: { ...found, userNamespace: false }, missing: [] };
  }
  return { tools: null, missing: [`user, PID and mount namespaces (${asUser})`] };
}

async function findTools(): Promise<Omit<SandboxTools, 'userNamespace'> | { missing: string[] }> {
  const [setpriv, unshare, mount, sh] = await Promise.all(
    ['setpriv', 'unshare', 'mount', 'sh'].map((name) => findExecutable(name, SYSTEM_PATH)),
  );
  if (setpriv && unshare && mount && sh) return { setpriv, unshare, mount, sh };
  const missing = Object.entries({ setpriv, unshare, mount, sh }).filter(([, path]) => !path);
  return { missing: missing.map(([name]) => `${name} (util-linux)`) };
}

/** Null when it worked, else the reason in words. */
async function tryOnce(tools: SandboxTools, home: string, needed: readonly string[]): Promise<string | null> {
  const scratch = scratchDirectory(home);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const data = await realpath(await mkdtemp(join(home, 'stdio', '.probe-')));
  try {
    // The sandbox is there for this: the file lies in PATCHBAY_HOME and must not be seen from inside.
    const command = { file: tools.sh, args: ['-c', 'test ! -e "$1" && test -d .', 'sh', scratch], env: {} };
    return await run(confine(tools, command, { home, scratch, data, needed }), data);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

function run({ file, args, env }: ReturnType<typeof confine>, cwd: string): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'], timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL' });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(0, 300)));
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code === 0 ? null : said.trim() || `ended with ${signal ?? `code ${code}`}`));
  });
}
