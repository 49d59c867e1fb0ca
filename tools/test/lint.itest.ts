import { expect, test } from 'vitest';
import { type Checkout, makeCheckout } from './support/checkout.ts';

const COPIED = ['.oxlintrc.json', '.gitignore', 'tsconfig.base.json', 'tools/lint'];
const TSCONFIG = JSON.stringify({
  extends: '../../tsconfig.base.json',
  compilerOptions: { rootDir: 'src', outDir: 'dist' },
  include: ['src'],
});

const CLEAN = {
  'packages/sample/tsconfig.json': TSCONFIG,
  'apps/sample/tsconfig.json': TSCONFIG,
  'packages/sample/src/limit.ts': 'export const LIMIT_BYTES = 10;\n',
  // What looks like a violation and is none.
  'apps/sample/src/server.ts':
    "import { createServer, type ClientRequest } from 'node:http';\nexport const make = (): unknown => createServer();\nexport type Out = ClientRequest;\n",
  'apps/sample/src/config.ts': "export const port = process.env['PORT'] ?? '1';\n",
  'apps/sample/src/fetch-argument.ts': 'export const get = (fetch: (url: string) => Promise<string>) => fetch("http://a");\n',
  'apps/sample/src/presence.ts':
    "export const missing = (token: string | undefined, password: string): boolean => token === undefined || password === '';\n",
  'apps/sample/src/same-progress.ts': 'export const same = (progressToken: string, b: string): boolean => progressToken === b;\n',
  'apps/sample/src/by-token.ts':
    'export const current = (byToken: Map<string, object>, flight: object): boolean => byToken.get("a") === flight;\n',
  'apps/sample/src/factory.ts': `export function make(): unknown {\n${[1, 2, 3].map((n) => `  const f${n} = (a: number): number => {\n${'    a += 1;\n'.repeat(40)}    return a;\n  };\n`).join('')}  return [f1, f2, f3];\n}\n`,
  'packages/egress/tsconfig.json': TSCONFIG,
  'packages/egress/src/dial.ts': "import { connect } from 'node:net';\nexport const dial = (): unknown => connect(1);\n",
  'apps/sample/src/users.repository.ts': "import { PrismaClient } from '@prisma/client';\nexport const client: unknown = PrismaClient;\n",
  'apps/sample/src/rows.repository.ts': 'export const rows = (tx: { user: { findMany(): unknown } }): unknown => tx.user.findMany();\n',
  'apps/sample/src/handed-on.ts':
    'type Work = (tx: object) => number;\nconst count = (tx: object): number => Object.keys({ tx }).length;\nexport const run = (database: { withOrganisation(work: Work): number }): number => database.withOrganisation((tx) => count(tx));\n',
  'apps/sample/src/own-names.test.ts': 'export const rows = (tx: { user: { findMany(): unknown } }): unknown => tx.user.findMany();\n',
};

// One file each: the rule that must speak, and what it must say.
const PLANTED: Record<string, { text: string; rule: string; says: RegExp }> = {
  'secret-name.ts': {
    text: 'export const f = (secret: string, b: string): boolean => secret === b;\n',
    rule: 'house(no-secret-equality)',
    says: /constant-time/,
  },
  'secret-property.ts': {
    text: 'export const f = (a: { tokenHash: string }, b: string): boolean => b !== a.tokenHash;\n',
    rule: 'house(no-secret-equality)',
    says: /'tokenHash'/,
  },
  'secret-revealed.ts': {
    text: 'export const f = (password: { reveal(): string }, b: string): boolean => password.reveal() === b;\n',
    rule: 'house(no-secret-equality)',
    says: /'password'/,
  },
  'console.ts': { text: "console.log('here');\nexport {};\n", rule: 'eslint(no-console)', says: /console/ },
  'environment.ts': { text: "export const home = process.env['HOME'];\n", rule: 'house(no-process-env)', says: /config\.ts only/ },
  'environment-import.ts': {
    text: "import { env } from 'node:process';\nexport const home = env['HOME'];\n",
    rule: 'house(no-process-env)',
    says: /config\.ts only/,
  },
  'environment-unpacked.ts': {
    text: 'const { env } = process;\nexport const home: unknown = env;\n',
    rule: 'house(no-process-env)',
    says: /config\.ts only/,
  },
  'dial-fetch.ts': {
    text: "export const get = (): Promise<unknown> => fetch('http://a');\n",
    rule: 'house(no-dial)',
    says: /'fetch' dials/,
  },
  'dial-fetch-passed-on.ts': { text: 'export const deps = { fetch };\n', rule: 'house(no-dial)', says: /'fetch' dials/ },
  'dial-global.ts': { text: 'export const get: unknown = globalThis.fetch;\n', rule: 'house(no-dial)', says: /packages\/egress/ },
  'dial-net.ts': {
    text: "import { connect } from 'node:net';\nexport const dial = (): unknown => connect(1);\n",
    rule: 'house(no-dial)',
    says: /'connect' of 'node:net'/,
  },
  'dial-tls.ts': {
    text: "import * as tls from 'node:tls';\nexport const dial = (): unknown => tls.connect(1);\n",
    rule: 'house(no-dial)',
    says: /All of 'node:tls'/,
  },
  'dial-http.ts': {
    text: "import { request } from 'node:https';\nexport const dial = (): unknown => request('https://a');\n",
    rule: 'house(no-dial)',
    says: /'request' of 'node:https'/,
  },
  'dial-undici.ts': {
    text: "import { Pool } from 'undici';\nexport const pool: unknown = Pool;\n",
    rule: 'house(no-dial)',
    says: /'undici' dials/,
  },
  'dial-dynamic.ts': {
    text: "export const late = (): Promise<unknown> => import('node:net');\n",
    rule: 'house(no-dial)',
    says: /can dial/,
  },
  'prisma.ts': {
    text: "import { PrismaClient } from '@prisma/client';\nexport const client: unknown = PrismaClient;\n",
    rule: 'house(no-prisma-outside-repositories)',
    says: /\*\.repository\.ts/,
  },
  'query-transaction.ts': {
    text: 'export const f = (tx: { user: { count(): number } }): number => tx.user.count();\n',
    rule: 'house(no-queries-outside-repositories)',
    says: /through 'tx' outside a repository/,
  },
  'query-typed.ts': {
    text: 'type Tx = { user: { create(): number } };\nexport const f = (lock: Tx): number => lock.user.create();\n',
    rule: 'house(no-queries-outside-repositories)',
    says: /through 'lock'/,
  },
  'query-in-work.ts': {
    text: 'type Work = (db: { user: { count(): number } }) => number;\nexport const f = (a: { withOrganisation(work: Work): number }): number => a.withOrganisation((db) => db.user.count());\n',
    rule: 'house(no-queries-outside-repositories)',
    says: /through 'db'/,
  },
  'query-taken-apart.ts': {
    text: 'type Work = (db: { user: { count(): number } }) => number;\nexport const f = (a: { commit(work: Work): number }): number => a.commit(({ user }) => user.count());\n',
    rule: 'house(no-queries-outside-repositories)',
    says: /taken apart/,
  },
  'query-renamed.ts': {
    text: 'export function f(tx: { user: { count(): number } }): number {\n  const { user } = tx;\n  return user.count();\n}\n',
    rule: 'house(no-queries-outside-repositories)',
    says: /'tx' under another name/,
  },
  'query-field.ts': {
    text: 'export const f = (a: { client: { user: { findMany(): number } } }): number => a.client.user.findMany();\n',
    rule: 'house(no-queries-outside-repositories)',
    says: /'findMany' outside/,
  },
  'query-raw.ts': {
    text: 'export const f = (a: { $executeRaw(sql: TemplateStringsArray): number }): number => a.$executeRaw`select 1`;\n',
    rule: 'house(no-queries-outside-repositories)',
    says: /'\$executeRaw' outside/,
  },
  'long-file.ts': {
    text: `${Array.from({ length: 301 }, (_, i) => `export const a${i} = ${i};`).join('\n')}\n`,
    rule: 'eslint(max-lines)',
    says: /301/,
  },
  'long-function.ts': {
    text: `export function f(): number {\n  let a = 0;\n${'  a += 1;\n'.repeat(50)}  return a;\n}\n`,
    rule: 'house(max-function-lines)',
    says: /has 54 lines of its own/,
  },
  'many-parameters.ts': {
    text: 'export const f = (a: number, b: number, c: number, d: number, e: number): number => a + b + c + d + e;\n',
    rule: 'eslint(max-params)',
    says: /5/,
  },
  'any.ts': { text: 'export type Loose = any;\n', rule: 'typescript(no-explicit-any)', says: /any/ },
  'default.ts': { text: 'export default 1;\n', rule: 'import(no-default-export)', says: /named exports/ },
  'floating.ts': {
    text: 'const later = (): Promise<void> => Promise.resolve();\nexport function f(): void {\n  later();\n}\n',
    rule: 'typescript(no-floating-promises)',
    says: /Promise/,
  },
  'forgotten-case.ts': {
    text: "export function f(era: 'old' | 'new'): number {\n  switch (era) {\n    case 'old':\n      return 1;\n  }\n  return 2;\n}\n",
    rule: 'typescript(switch-exhaustiveness-check)',
    says: /"new"|'new'|exhaustive/,
  },
  'cycle-a.ts': {
    text: "import { b } from './cycle-b.ts';\nexport const a = (): unknown => b;\n",
    rule: 'import(no-cycle)',
    says: /cycle/i,
  },
  'cycle-b.ts': {
    text: "import { a } from './cycle-a.ts';\nexport const b = (): unknown => a;\n",
    rule: 'import(no-cycle)',
    says: /cycle/i,
  },
  'type-import.ts': {
    text: "import { Writable } from 'node:stream';\nexport const f = (out: Writable): unknown => out;\n",
    rule: 'typescript(consistent-type-imports)',
    says: /type/,
  },
};

type Finding = { code: string; message: string; filename: string };

async function lint(checkout: Checkout): Promise<{ code: number | null; findings: Finding[] }> {
  const { code, output } = await checkout.run('tools/node_modules/oxlint/bin/oxlint', '--type-aware', '--format=json', 'apps', 'packages');
  const { diagnostics } = JSON.parse(output) as { diagnostics: Finding[] };
  return { code, findings: diagnostics };
}

test('code within the rules passes, also where it comes close', async () => {
  const checkout = makeCheckout({ copied: COPIED, installed: true });
  checkout.write(CLEAN);
  expect(await lint(checkout)).toEqual({ code: 0, findings: [] });
});

test('each rule finds what was planted for it, and nothing else speaks', async () => {
  const checkout = makeCheckout({ copied: COPIED, installed: true });
  checkout.write(CLEAN);
  checkout.write(Object.fromEntries(Object.entries(PLANTED).map(([name, { text }]) => [`apps/sample/src/${name}`, text])));
  const { code, findings } = await lint(checkout);
  expect(code).not.toBe(0);
  const found = findings.map(({ filename, code: rule }) => `${filename.replace('apps/sample/src/', '')} ${rule}`).sort();
  expect([...new Set(found)]).toEqual(
    Object.entries(PLANTED)
      .map(([name, { rule }]) => `${name} ${rule}`)
      .sort(),
  );
  for (const { filename, message } of findings) expect(message).toMatch(PLANTED[filename.replace('apps/sample/src/', '')]?.says ?? /never/);
});
