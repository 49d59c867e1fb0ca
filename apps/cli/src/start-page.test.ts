import { expect, test } from 'vitest';
import { renderStartPage, type StartPage } from './start-page.ts';

const page: StartPage = {
  facts: {
    apiUrl: 'http://127.0.0.1:8470',
    gatewayUrl: 'http://127.0.0.1:8471',
    mcpUrl: 'http://127.0.0.1:8471/default/mcp',
    org: 'default',
    adminEmail: 'admin@patchbay.local',
    adminPassword: 'the-password',
    token: 'pbpat_the-token',
    apiToken: 'pbapi_the-api-token',
  },
  bootstrapFile: '/home/ada/.patchbay/bootstrap.json',
  stdioCommand: ['/opt/node', '/opt/patchbay/apps/cli/dist/main.js', 'connect'],
  home: '/home/ada/.patchbay',
  adminUrl: 'http://127.0.0.1:8472',
  showsSecrets: true,
  firstCall: { what: 'tools/call everything_echo', text: 'Echo: \u001b[31mred', ms: 12.4 },
  missingIsolation: [],
  masterKeyInHome: true,
  seconds: 3.21,
};

test('on a terminal every snippet can be pasted as it stands', () => {
  const text = renderStartPage(page);
  expect(text).toContain(
    'claude mcp add --transport http patchbay http://127.0.0.1:8471/default/mcp --header "Authorization: Bearer pbpat_the-token"\n',
  );
  expect(text).toContain(
    'npx @modelcontextprotocol/inspector@2.12.0 --cli http://127.0.0.1:8471/default/mcp --transport http --header "Authorization: Bearer pbpat_the-token" --method tools/list\n',
  );
  const server = { url: page.facts.mcpUrl, headers: { Authorization: 'Bearer pbpat_the-token' } };
  expect(jsonBehind(text, 'Cursor')).toEqual({ mcpServers: { patchbay: server } });
  expect(jsonBehind(text, 'VS Code')).toEqual({ servers: { patchbay: { type: 'http', ...server } } });
  expect(text).toContain('the-password');
});

test('a client that starts a program is given one with no token in it', () => {
  const snippet = jsonBehind(renderStartPage(page), 'Claude Desktop');
  const server = {
    command: '/opt/node',
    args: ['/opt/patchbay/apps/cli/dist/main.js', 'connect'],
    env: { PATCHBAY_HOME: '/home/ada/.patchbay' },
  };
  expect(snippet).toEqual({ mcpServers: { patchbay: server } });
  expect(JSON.stringify(snippet)).not.toContain('pbpat_');
});

test('a pipe gets no secret, and learns where they are', () => {
  const text = renderStartPage({ ...page, showsSecrets: false });
  for (const secret of ['pbpat_the-token', 'the-password', 'pbapi_the-api-token']) expect(text).not.toContain(secret);
  expect(text).toContain('they are in /home/ada/.patchbay/bootstrap.json');
});

test('the last line, and no other, says that Patchbay is ready', () => {
  const lines = renderStartPage(page).split('\n');
  expect(lines.filter((line) => line.includes('Patchbay is ready'))).toEqual([lines.at(-1)]);
});

test('what a server answered reaches no terminal as a control sequence', () => {
  expect(renderStartPage(page)).not.toContain('\u001b');
});

test('it does not claim what this machine or this configuration does not give', () => {
  expect(renderStartPage(page)).toContain('not against a copy of PATCHBAY_HOME');
  expect(renderStartPage({ ...page, masterKeyInHome: false })).toContain('with a key outside of PATCHBAY_HOME');
  expect(renderStartPage({ ...page, missingIsolation: ['user namespaces'] })).toContain('NOT confined: this machine lacks user namespaces');
  expect(renderStartPage({ ...page, missingIsolation: null })).toContain('did not say how it confines them');
});

function jsonBehind(text: string, heading: string): unknown {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.startsWith(heading)) + 1;
  return JSON.parse(lines.slice(from, lines.indexOf('', from)).join('\n'));
}
