import { randomUUID } from 'node:crypto';
import {
  GrantId,
  LimitId,
  OrganisationId,
  OrganisationSlug,
  ServerId,
  ServerSlug,
  TokenId,
  UserId,
  type TokenHash,
} from '@patchbay/contracts';
import { hashToken, mintToken, type TagKey } from '@patchbay/tokens';
import { toolName } from './tools.ts';

/** Servers of one kind: `{prefix}-0`, `{prefix}-1`, … */
export type ServerKind = {
  readonly prefix: string;
  readonly count: number;
  readonly era: 'modern' | 'legacy';
  readonly url: string;
  /** Calls that a limit lets through, of all there are; without: as many as there are. */
  readonly callsMax?: number;
};

export type OrganisationSpec = {
  readonly slug: string;
  readonly kinds: readonly ServerKind[];
  readonly toolsPerServer: number;
  /** People, each with one token. */
  readonly members: number;
};

export type Server = Omit<ServerKind, 'count' | 'prefix'> & {
  readonly id: ServerId;
  readonly slug: ServerSlug;
  readonly tools: readonly string[];
};
export type Member = { readonly userId: UserId; readonly tokenId: TokenId; readonly token: string; readonly tokenHash: TokenHash };

/** An organisation as the control plane would know it: what is signed and stored is made from this. */
export type Organisation = {
  readonly id: OrganisationId;
  readonly slug: OrganisationSlug;
  readonly servers: readonly Server[];
  readonly members: readonly Member[];
  readonly grants: readonly Grant[];
  readonly limitIds: { readonly fair: LimitId; readonly byServer: ReadonlyMap<ServerId, LimitId> };
  revision: number;
};

type Grant = {
  readonly id: GrantId;
  readonly subject: { readonly kind: 'everyone' } | { readonly kind: 'user'; readonly userId: UserId };
  readonly serverId: ServerId;
  readonly tools: { readonly mode: 'all' } | { readonly mode: 'names'; readonly names: readonly string[] };
};

/** The tool that each server has and that nobody was granted. */
export const NOT_GRANTED = 'drop_everything';

/** Everyone may use every tool but one of each server, by name; each member also has a grant of their own. */
export function makeOrganisation({ kinds, members: count, slug, toolsPerServer }: OrganisationSpec, tagKey: TagKey): Organisation {
  const tools = Array.from({ length: toolsPerServer }, (_, k) => toolName(k));
  const servers = kinds.flatMap(({ count: servers, prefix, ...kind }) =>
    Array.from({ length: servers }, (_, k) => ({
      ...kind,
      id: newId(ServerId),
      slug: ServerSlug.parse(`${prefix}-${k}`),
      tools: [...tools, NOT_GRANTED],
    })),
  );
  const members = Array.from({ length: count }, () => makeMember(tagKey));
  const limited = servers.filter(({ callsMax }) => callsMax !== undefined);
  return {
    id: newId(OrganisationId),
    slug: OrganisationSlug.parse(slug),
    servers,
    members,
    grants: [
      ...servers.map((server) => grantOf(server, tools)),
      ...members.map((member, k) => ownGrant(member, servers[k % servers.length])),
    ],
    limitIds: { fair: newId(LimitId), byServer: new Map(limited.map(({ id }) => [id, newId(LimitId)])) },
    revision: 1,
  };
}

function makeMember(tagKey: TagKey): Member {
  const tokenId = newId(TokenId);
  const token = mintToken('pbpat', tokenId, tagKey);
  return { userId: newId(UserId), tokenId, token, tokenHash: hashToken(token) };
}

function grantOf({ id }: Server, names: readonly string[]): Grant {
  return { id: newId(GrantId), subject: { kind: 'everyone' }, serverId: id, tools: { mode: 'names', names } };
}

function ownGrant(member: Member, server: Server | undefined): Grant {
  if (server === undefined) throw new Error('an organisation without servers has nothing to grant');
  return userGrant(member, server, toolName(0));
}

/** A member may use one tool of a server. */
export function userGrant({ userId }: Member, server: Server, tool: string): Grant {
  return { id: newId(GrantId), subject: { kind: 'user', userId }, serverId: server.id, tools: { mode: 'names', names: [tool] } };
}

function newId<T>(shape: { parse(text: string): T }): T {
  return shape.parse(randomUUID());
}
