import { createHash } from 'node:crypto';
import type { Invalidation, OrganisationId, PartHash, PodId, Revision, ServerId, TokenHash, TokenId, UserId } from '@patchbay/contracts';
import { hashToken, mintToken } from '@patchbay/tokens';
import { Secret } from '@patchbay/vault';
import { revocationDocuments } from '../../apps/control-plane/dist/modules/snapshot/revocation-parts.js';
import type { Random } from './random.ts';
import type { Owner, Scheduler } from './scheduler.ts';

export type Token = {
  readonly name: string;
  readonly text: string;
  readonly hash: TokenHash;
  readonly tokenId: TokenId;
  readonly userId: UserId;
  /** The revision that withdrew it; null while it is good. */
  revokedAt: number | null;
  mintedAtMs: number;
};

type OutboxRow = { revision: number; invalidations: Invalidation[]; tokenIds: TokenId[]; createdAtMs: number; published: boolean };
type Part = { readonly kind: string; readonly key: string; readonly hash: PartHash; readonly bytes: Buffer };

export type Organisation = {
  readonly id: OrganisationId;
  readonly slug: string;
  readonly epoch: number;
  revision: Revision;
  readonly servers: Map<ServerId, { slug: string; version: number }>;
  readonly tokens: Map<TokenHash, Token>;
  readonly outbox: OutboxRow[];
  /** When each revision was committed. */
  readonly committedAtMs: number[];
  publishing: Owner | null;
};

export const TAG_KEY = Buffer.alloc(32, 7);
export const GATEWAY_SECRET = new Secret('of the gateways');
const uuid = <T>(kind: number, count: number): T =>
  `00000000-0000-4000-8${String(kind).padStart(3, '0')}-${String(count).padStart(12, '0')}` as T;

/** Minted once for all seeds: a token is a text, and which organisation it belongs to is the directory's word. */
const TEXTS = Array.from({ length: 60 }, (_, count) => mintToken('pbpat', uuid(1, count), TAG_KEY, (size) => Buffer.alloc(size, count)));

/** The database of the control planes: what is true, and since when. Always there, and always of one mind. */
export class Truth {
  readonly organisations: Organisation[];
  /** Pods that some control plane has heard, and when. */
  readonly pods = new Map<PodId, { stalenessBudgetMs: number; heardAtMs: number }>();
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  #minted = 0;

  constructor(random: Random, scheduler: Scheduler) {
    this.#random = random;
    this.#scheduler = scheduler;
    this.organisations = ['acme', 'beta'].map((slug, index) => {
      const made = { id: uuid<OrganisationId>(2, index), slug, epoch: 1, revision: 1 as Revision, publishing: null };
      return { ...made, servers: new Map(), tokens: new Map(), outbox: [], committedAtMs: [0, 0] };
    });
    for (const organisation of this.organisations) {
      organisation.servers.set(uuid<ServerId>(3, 1), { slug: 's1', version: 1 });
      for (let count = 0; count < 4; count += 1) this.#addToken(organisation);
    }
  }

  byId(id: string): Organisation | undefined {
    return this.organisations.find((organisation) => organisation.id === id);
  }

  mint(organisation: Organisation): Token | null {
    const token = this.#addToken(organisation);
    if (token !== null) this.#record(organisation, [], [token.tokenId]);
    return token;
  }

  /** Withdraws it, and returns the revision that says so. */
  revoke(organisation: Organisation, token: Token): number {
    token.revokedAt = organisation.revision + 1;
    return this.#record(organisation, [{ kind: 'token', revision: token.revokedAt as Revision, tokenHash: token.hash }], [token.tokenId]);
  }

  /** All tokens of one user. */
  removeUser(organisation: Organisation, userId: UserId): number {
    const revision = organisation.revision + 1;
    const tokens = [...organisation.tokens.values()].filter((token) => token.userId === userId);
    for (const token of tokens) token.revokedAt ??= revision;
    return this.#record(
      organisation,
      [{ kind: 'user', revision: revision as Revision, userId }],
      tokens.map(({ tokenId }) => tokenId),
    );
  }

  changeServer(organisation: Organisation): number {
    const id = uuid<ServerId>(3, this.#random.whole(1, 4));
    const server = organisation.servers.get(id);
    if (server === undefined) organisation.servers.set(id, { slug: `s${id.slice(-1)}`, version: 1 });
    else if (this.#random.chance(0.2) && organisation.servers.size > 1) organisation.servers.delete(id);
    else server.version += 1;
    return this.#record(organisation, [], []);
  }

  /** The parts of the present revision. */
  partsOf({ id, slug, servers, tokens }: Organisation): Part[] {
    const revoked = [...tokens.values()].filter(({ revokedAt }) => revokedAt !== null).map(({ hash }) => hash);
    const timeouts = { connectMs: 1_000, requestMs: 10_000 };
    const rest = { kind: 'streamable-http', isolation: 'session', timeouts, hasCredential: false, bareTools: [], barePrompts: [] };
    const grants = [...servers.keys()].map((serverId, index) => ({
      id: uuid(4, index),
      subject: { kind: 'everyone' },
      serverId,
      tools: { mode: 'all' },
    }));
    return [
      partOf('organisation', id, { format: 1, organisationId: id, slug, egressOpenings: [] }),
      ...[...servers].map(([serverId, server]) =>
        partOf('server', serverId, {
          format: 1,
          id: serverId,
          slug: server.slug,
          url: 'http://x.example/',
          generation: `g${server.version}`,
          ...rest,
        }),
      ),
      partOf('grants', '0', { format: 1, grants }),
      ...revocationDocuments(revoked).map(([key, document]) => partOf('revocations', key, document)),
    ];
  }

  /** Resolves when this process alone publishes the organisation. A process that dies lets go. */
  async lock(organisation: Organisation, owner: Owner): Promise<() => void> {
    while (organisation.publishing?.alive === true) await this.#scheduler.sleep(5);
    organisation.publishing = owner;
    return () => {
      if (organisation.publishing === owner) organisation.publishing = null;
    };
  }

  #addToken(organisation: Organisation): Token | null {
    const count = this.#minted;
    const text = TEXTS[count];
    if (text === undefined) return null;
    this.#minted += 1;
    const token: Token = {
      name: `${organisation.slug} token ${count}`,
      text,
      hash: hashToken(text),
      tokenId: uuid(1, count),
      userId: uuid(5, count % 5),
      revokedAt: null,
      mintedAtMs: this.#scheduler.nowMs,
    };
    organisation.tokens.set(token.hash, token);
    return token;
  }

  #record(organisation: Organisation, invalidations: Invalidation[], tokenIds: TokenId[]): number {
    organisation.revision = (organisation.revision + 1) as Revision;
    organisation.committedAtMs[organisation.revision] = this.#scheduler.nowMs;
    const { revision } = organisation;
    organisation.outbox.push({ revision, invalidations, tokenIds, createdAtMs: this.#scheduler.nowMs, published: false });
    return revision;
  }
}

const parts = new Map<string, Part>();

function partOf(kind: string, key: string, document: object): Part {
  const text = JSON.stringify(document);
  const known = parts.get(text);
  if (known !== undefined) return known;
  const bytes = Buffer.from(text);
  const part = { kind, key, hash: createHash('sha256').update(bytes).digest('hex') as PartHash, bytes };
  if (parts.size < 50_000) parts.set(text, part);
  return part;
}
