import type { Server, ServerSecret } from '../../prisma/index.ts';
import { randomUUID } from 'node:crypto';
import type { ServerChange } from '@patchbay/contracts';
import type { FieldError } from '../../common/refused.ts';
import { profileColumns } from '../snapshot/index.ts';
import { generationOf } from './generation.ts';
import { upstreamIdentity, type SecretKind, type ServerSecrets } from '../vault/index.ts';

/** A server as a change leaves it: its row, and its secrets in full. */
export type ChangedServer = { readonly server: Server; readonly secrets: readonly ServerSecret[]; readonly credentialChanged: boolean };

const ADDRESSED = ['url', 'headers'] as const;
const STARTED = ['command', 'args', 'env', 'egress'] as const;
const STDIO_ONLY = [...STARTED, 'isolation'] as const;
/** What a server of each kind does not have. */
const MISPLACED: Readonly<Record<string, readonly (keyof ServerChange)[]>> = {
  stdio: ADDRESSED,
  'streamable-http': STDIO_ONLY,
  sse: STARTED,
  websocket: STARTED,
};

/** Fields that a server of this kind does not have, and an address that its transport cannot go to. */
export function misplacedFields(kind: string, change: ServerChange): FieldError[] {
  const misplaced = (MISPLACED[kind] ?? [])
    .filter((field) => change[field] !== undefined)
    .map((field) => ({ pointer: `/${field}`, detail: `a ${kind} server has no such field` }));
  // What a stdio host runs or connects to has one credential, and it is the host's.
  if (change.catalogueMode === 'per-credential' && kind !== 'streamable-http')
    misplaced.push({ pointer: '/catalogueMode', detail: `a ${kind} server is not asked with a credential of its callers` });
  const protocols = kind === 'websocket' ? ['ws:', 'wss:'] : ['http:', 'https:'];
  if (misplaced.length > 0 || change.url === undefined || protocols.includes(new URL(change.url).protocol)) return misplaced;
  return [{ pointer: '/url', detail: `must begin with ${protocols.join('// or ')}//` }];
}

/** Whether a change says what a stdio server runs. */
export function setsCommand(change: ServerChange): boolean {
  return STDIO_ONLY.some((field) => change[field] !== undefined);
}

/** Applies a change. Secrets stay sealed to whom they were typed for: with another upstream they are dropped and said to be. */
export function applyChange(
  { server: before, secrets }: { server: Server; secrets: readonly ServerSecret[] },
  change: ServerChange,
  vault: ServerSecrets,
): ChangedServer {
  const server: Server = {
    ...before,
    description: change.description ?? before.description,
    tags: change.tags ?? before.tags,
    connectMs: change.timeouts?.connectMs ?? before.connectMs,
    requestMs: change.timeouts?.requestMs ?? before.requestMs,
    catalogueMode: change.catalogueMode ?? before.catalogueMode,
    sampling: change.sampling ?? before.sampling,
    ...(change.clientProfile === undefined ? {} : profileColumns(change.clientProfile)),
    url: change.url ?? before.url,
    command: change.command ?? before.command,
    args: change.args ?? before.args,
    isolation: change.isolation ?? before.isolation,
    egress: change.egress ?? before.egress,
  };
  const kind: SecretKind = before.kind === 'stdio' ? 'env' : 'header';
  const typed = (kind === 'env' ? change.env : change.headers) ?? {};
  const moved = upstreamIdentity(before) !== upstreamIdentity(server);
  const kept = moved ? [] : secrets.filter(({ name }) => !names(typed, kind).has(fold(name, kind)));
  const dropped = moved ? secrets.filter(({ name }) => !names(typed, kind).has(fold(name, kind))) : [];
  const written = Object.entries(typed).flatMap(([name, value]) =>
    value === null ? [] : [sealedRow(server, kind, { name, value }, vault)],
  );
  const after = [...kept, ...written];
  server.notice = noticeAfter(before.notice, { dropped: dropped.length, written: written.length, kind });
  server.generation = generationOf(server, after);
  return { server, secrets: after, credentialChanged: moved || Object.keys(typed).length > 0 };
}

/** A fresh row of one secret value. */
export function sealedRow(
  server: Server,
  kind: SecretKind,
  { name, value }: { name: string; value: string },
  vault: ServerSecrets,
): ServerSecret {
  return {
    organisationId: server.organisationId,
    serverId: server.id,
    kind,
    name,
    sealed: vault.seal(server, kind, name, value),
    version: randomUUID(),
  };
}

function noticeAfter(
  before: string | null,
  { dropped, written, kind }: { dropped: number; written: number; kind: SecretKind },
): string | null {
  if (dropped > 0) {
    return kind === 'header'
      ? 'The address moved to another origin: its header values were dropped and have to be typed again.'
      : 'The command changed: its env values were dropped and have to be typed again.';
  }
  return written > 0 ? null : before;
}

/** Header names are one in any case; environment names are not. */
function fold(name: string, kind: SecretKind): string {
  return kind === 'header' ? name.toLowerCase() : name;
}

function names(typed: Readonly<Record<string, unknown>>, kind: SecretKind): ReadonlySet<string> {
  return new Set(Object.keys(typed).map((name) => fold(name, kind)));
}
