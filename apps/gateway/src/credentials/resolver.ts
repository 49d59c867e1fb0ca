import { CredentialRelease, INTERNAL_PATHS, OWN_HEADERS, type OrganisationId, type ServerId } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import { Secret } from '@patchbay/vault';
import { LRUCache } from 'lru-cache';
import type { CompiledServer } from '../snapshot/compiled.ts';

/** One POST on the control plane's internal listener, with the gateway's secret. Rejects when nobody answers in time. */
export type InternalPost = (
  path: string,
  body: string,
  limits: { timeoutMs: number; maxBytes: number },
) => Promise<{ status: number; body: Buffer }>;

export type CredentialResolverDeps = { readonly post: InternalPost };

/** Header values by lower-case name. Built only here: the one place that reveals them. */
export type RevealedHeaders = Readonly<Record<string, string>>;

/** Which credential a call is sent with, known before anything of it is revealed. Another value is another generation. */
export type CredentialReference = { readonly id: string; readonly generation: string };

/** That of the server's registration, which everybody's calls are sent with. */
export function credentialReference({ generation, id }: CompiledServer): CredentialReference {
  return { id, generation };
}

/** What the upstream is sent, beside a refusal that cannot be mistaken for it. */
export type Credential = { readonly headers: RevealedHeaders };

/** Whose call needs the credential of which server. */
export type CredentialCall = { readonly organisationId: OrganisationId; readonly tokenHash: string; readonly server: CompiledServer };

/** Upstream header values: asked of the control plane once per (server, generation) and caller's token, kept in memory alone. */
export type CredentialResolver = {
  resolve(call: CredentialCall): Credential | Refusal | Promise<Credential | Refusal>;
  /** Forgets a server's values at once, also those that are on their way. */
  drop(organisationId: OrganisationId, serverId: ServerId): void;
  /** Forgets all of an organisation's values: changes to them may have been missed. */
  dropAll(organisationId: OrganisationId): void;
};

type Entry = {
  readonly generation: string;
  readonly headers: ReadonlyMap<string, Secret>;
  /** Tokens for which the control plane released it. */
  readonly releasedTo: LRUCache<string, true>;
};

const ENTRIES_MAX = 10_000;
const TOKENS_MAX = 10_000;
const LIMITS = { timeoutMs: 5_000, maxBytes: 256 * 1024 };
export function makeCredentialResolver({ post }: CredentialResolverDeps): CredentialResolver {
  const entries = new LRUCache<string, Entry>({ max: ENTRIES_MAX });
  const flights = new Map<string, Promise<Credential | Refusal>>();
  /** Raised by every drop, so that an answer asked for before it is not kept. */
  let drops = 0;

  async function release(call: CredentialCall, key: string): Promise<Credential | Refusal> {
    const { organisationId, server, tokenHash } = call;
    const dropsBefore = drops;
    const body = JSON.stringify({ organisationId, serverId: server.id, generation: server.generation, tokenHash });
    const answer = await post(INTERNAL_PATHS.credential, body, LIMITS).catch(() => null);
    if (answer === null || answer.status >= 500) return fallBack(entries.get(key), server);
    const headers = answer.status === 200 ? readRelease(answer.body) : null;
    if (headers === null) return unavailable(server, `The control plane answered HTTP ${answer.status}.`);
    if (drops === dropsBefore) {
      const known = entries.get(key);
      const releasedTo = known?.generation === server.generation ? known.releasedTo : new LRUCache<string, true>({ max: TOKENS_MAX });
      releasedTo.set(tokenHash, true);
      entries.set(key, { generation: server.generation, headers, releasedTo });
    }
    return reveal(headers);
  }

  return {
    resolve(call) {
      const { organisationId, server, tokenHash } = call;
      const key = `${organisationId}/${server.id}`;
      const entry = entries.get(key);
      if (entry !== undefined && entry.generation === server.generation && entry.releasedTo.has(tokenHash)) return reveal(entry.headers);
      const flightKey = `${key}/${server.generation}/${tokenHash}/${drops}`;
      const running = flights.get(flightKey);
      if (running !== undefined) return running;
      const flight = release(call, key).finally(() => flights.delete(flightKey));
      flights.set(flightKey, flight);
      return flight;
    },
    drop(organisationId, serverId) {
      drops += 1;
      entries.delete(`${organisationId}/${serverId}`);
    },
    dropAll(organisationId) {
      drops += 1;
      for (const key of entries.keys()) if (key.startsWith(`${organisationId}/`)) entries.delete(key);
    },
  };
}

/** With the control plane away: this pod knows the token to be good and holds the value, so the call goes on (architecture.md §8). */
function fallBack(entry: Entry | undefined, server: CompiledServer): Credential | Refusal {
  if (entry !== undefined && entry.generation === server.generation) return reveal(entry.headers);
  return unavailable(server, 'The control plane is away and this gateway does not hold it.');
}

function unavailable(server: CompiledServer, why: string): Refusal {
  return refusal('upstream.credential_unavailable', `Server "${server.slug}": ${why}`);
}

function readRelease(body: Buffer): ReadonlyMap<string, Secret> | null {
  try {
    const { headers } = CredentialRelease.parse(JSON.parse(body.toString('utf8')));
    const kept = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), new Secret(value)] as const);
    return new Map(kept.filter(([name]) => !OWN_HEADERS.test(name)));
  } catch {
    return null;
  }
}

function reveal(headers: ReadonlyMap<string, Secret>): Credential {
  const revealed: Record<string, string> = {};
  for (const [name, secret] of headers) revealed[name] = secret.reveal();
  return { headers: revealed };
}
