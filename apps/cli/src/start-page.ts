import type { BootstrapFile } from '@patchbay/contracts';
import type { FirstCall } from './first-caller.ts';

export type StartPage = {
  readonly facts: BootstrapFile;
  readonly bootstrapFile: string;
  /** What a client that speaks stdio alone has to start, by absolute paths. */
  readonly stdioCommand: readonly string[];
  readonly home: string;
  readonly adminUrl: string;
  readonly showsSecrets: boolean;
  readonly firstCall: FirstCall;
  /** What the machine lacks to confine stdio servers; empty: nothing. null: the stdio host did not say. */
  readonly missingIsolation: readonly string[] | null;
  /** Whether the key that opens stored secrets lies in the home too. */
  readonly masterKeyInHome: boolean;
  readonly seconds: number;
};

const INSPECTOR = '@modelcontextprotocol/inspector@2.12.0';

/** What a person needs after a start, as plain text. Secrets stand in it only where `showsSecrets` says so. */
export function renderStartPage(page: StartPage): string {
  const { facts, showsSecrets, firstCall } = page;
  const token = showsSecrets ? facts.token : '<token>';
  const password = showsSecrets ? facts.adminPassword : '<adminPassword>';
  const authorization = `Bearer ${token}`;
  const hidden = showsSecrets ? [] : ['', `Password and tokens are not shown in a pipe: they are in ${page.bootstrapFile}`];
  return [
    '',
    `First call: ${firstCall.what} → ${JSON.stringify(firstCall.text)} in ${Math.round(firstCall.ms)} ms`,
    '',
    'Addresses',
    `  MCP, every server    ${facts.mcpUrl}`,
    `  MCP, one server      ${facts.gatewayUrl}/${facts.org}/{server}/mcp`,
    `  API                  ${facts.apiUrl}/api/docs`,
    `  Gateway's probes     ${page.adminUrl}/readyz, ${page.adminUrl}/metrics`,
    '',
    'Sign-in',
    `  organisation         ${facts.org}`,
    `  admin                ${facts.adminEmail}`,
    `  password             ${password}`,
    `  token for MCP        ${token}`,
    `  all of it            ${page.bootstrapFile} (readable by you alone)`,
    ...hidden,
    '',
    'Claude Code',
    `  claude mcp add --transport http patchbay ${facts.mcpUrl} --header "Authorization: ${authorization}"`,
    '',
    'Cursor (~/.cursor/mcp.json)',
    ...json({ mcpServers: { patchbay: { url: facts.mcpUrl, headers: { Authorization: authorization } } } }),
    '',
    'VS Code (.vscode/mcp.json)',
    ...json({ servers: { patchbay: { type: 'http', url: facts.mcpUrl, headers: { Authorization: authorization } } } }),
    '',
    'Claude Desktop and other clients that start a program (claude_desktop_config.json)',
    ...json({ mcpServers: { patchbay: stdioServer(page) } }),
    '',
    'Inspector',
    `  npx ${INSPECTOR} --cli ${facts.mcpUrl} --transport http --header "Authorization: ${authorization}" --method tools/list`,
    '',
    'What protects what',
    `  ${isolationClaim(page.missingIsolation)}`,
    `  ${secretsClaim(page.masterKeyInHome)}`,
    '',
    `Patchbay is ready (${page.seconds.toFixed(1)} s). Ctrl-C stops it.`,
  ].join('\n');
}

/** No token stands in it: the program reads it in the home. */
function stdioServer({ home, stdioCommand: [command, ...args] }: StartPage): object {
  return { command, args, env: { PATCHBAY_HOME: home } };
}

function json(value: object): string[] {
  return JSON.stringify(value, null, 2)
    .split('\n')
    .map((line) => `  ${line}`);
}

function isolationClaim(missing: readonly string[] | null): string {
  if (missing === null) return 'Stdio servers: the stdio host did not say how it confines them.';
  if (missing.length > 0)
    return `Stdio servers run as you, NOT confined: this machine lacks ${missing.join(', ')}. Register only programs you trust.`;
  return 'Stdio servers see neither our files nor other processes, and reach no network but what their registration names (egress).';
}

function secretsClaim(masterKeyInHome: boolean): string {
  return masterKeyInHome
    ? 'Stored upstream secrets are sealed against a stolen database dump, not against a copy of PATCHBAY_HOME: its key lies there too (PATCHBAY_MASTER_KEY_FILE).'
    : 'Stored upstream secrets are sealed with a key outside of PATCHBAY_HOME: a copy of that folder opens none.';
}
