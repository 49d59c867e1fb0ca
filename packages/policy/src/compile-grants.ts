import type { GrantsPart, ServerId } from '@patchbay/contracts';

/** A call is covered; `grantId` is the grant that covers it, for the audit. */
export type Allow = { readonly kind: 'allow'; readonly grantId: string };

/** What one subject holds on one server. Decisions are made here once, so that a call allocates none. */
export type SubjectGrants = {
  /** Any grant at all: enough to know that the server exists. */
  readonly any: Allow;
  /** Covers every tool, prompt and resource, those to come included. */
  readonly all: Allow | null;
  /** Covers these tools and nothing else. */
  readonly names: ReadonlyMap<string, Allow>;
};

/** Every grant of one organisation as lookup tables: server id → subject (`user:{id}` or `everyone`) → what it holds. */
export type CompiledGrants = {
  readonly byServer: ReadonlyMap<string, ReadonlyMap<string, SubjectGrants>>;
  /** Every subject that some grant names. */
  readonly subjects: ReadonlySet<string>;
};

type Grant = GrantsPart['grants'][number];
type Building = { any: Allow; all: Allow | null; names: Map<string, Allow> };

/** Costs O(granted names) once per publish. Where several grants cover the same thing, the one listed first answers. */
export function compileGrants(shards: readonly (readonly Grant[])[]): CompiledGrants {
  const byServer = new Map<string, Map<string, Building>>();
  const subjects = new Set<string>();
  for (const shard of shards) {
    for (const grant of shard) {
      const subject = subjectKey(grant.subject);
      subjects.add(subject);
      add(holderOf(byServer, grant.serverId), subject, grant);
    }
  }
  return { byServer, subjects };
}

/** How `Principal.subjects` writes a grant's subject. */
export function subjectKey(subject: Grant['subject']): string {
  switch (subject.kind) {
    case 'user':
      return `user:${subject.userId}`;
    case 'everyone':
      return 'everyone';
  }
}

function holderOf(byServer: Map<string, Map<string, Building>>, serverId: ServerId): Map<string, Building> {
  const known = byServer.get(serverId);
  if (known !== undefined) return known;
  const fresh = new Map<string, Building>();
  byServer.set(serverId, fresh);
  return fresh;
}

function add(bySubject: Map<string, Building>, subject: string, grant: Grant): void {
  const allow: Allow = { kind: 'allow', grantId: grant.id };
  const held = bySubject.get(subject) ?? { any: allow, all: null, names: new Map<string, Allow>() };
  bySubject.set(subject, held);
  if (grant.tools.mode === 'all') {
    held.all ??= allow;
    return;
  }
  for (const name of grant.tools.names) if (!held.names.has(name)) held.names.set(name, allow);
}
