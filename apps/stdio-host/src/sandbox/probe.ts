import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { planEgress } from '../egress/plan.ts';
import { findExecutable } from '../process/find-executable.ts';
import { confine, type SandboxTools } from './confine.ts';

/** What this machine can do to confine a server; `missing` says in words why `tools` is null. */
export type Sandbox = { readonly tools: SandboxTools | null; readonly missing: readonly string[] };

const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
/** What the sandbox is there for: a file of PATCHBAY_HOME is not seen, nothing of the machine is writable, its own directory is. */
const CHECK_SCRIPT = `
{ test ! -e "$1" && : > ./written && rm ./written; } || { echo 'the home is not private' >&2; exit 1; }
for path in / /etc /usr /dev /proc/sys/kernel/core_pattern; do
  if test -w "$path"; then echo "$path is writable" >&2; exit 1; fi
done
`;
const PROBE_LIMITS = { diskBytes: 1024 * 1024, openFilesMax: 256, tasksMax: 64 };
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
  const [setpriv, unshare, mount, sh, ip] = await Promise.all(
    ['setpriv', 'unshare', 'mount', 'sh', 'ip'].map((name) => findExecutable(name, SYSTEM_PATH)),
  );
  if (setpriv && unshare && mount && sh && ip) return { setpriv, unshare, mount, sh, ip };
  const missing = Object.entries({ setpriv, unshare, mount, sh, ip }).filter(([, path]) => !path);
  return { missing: missing.map(([name]) => `${name} (${name === 'ip' ? 'iproute2' : 'util-linux'})`) };
}

/** Null when it worked, else the reason in words. */
async function tryOnce(tools: SandboxTools, home: string, needed: readonly string[]): Promise<string | null> {
  const scratch = scratchDirectory(home);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const data = await realpath(await mkdtemp(join(home, 'stdio', '.probe-')));
  try {
    const command = { file: tools.sh, args: ['-c', CHECK_SCRIPT, 'sh', scratch], env: {} };
    return await run(confine(tools, command, { home, scratch, data, needed, egress: planEgress([]), limits: PROBE_LIMITS }), data);
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
