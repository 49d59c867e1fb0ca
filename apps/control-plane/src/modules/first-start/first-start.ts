import { Platform } from '../../platform.ts';
import { join, resolve } from 'node:path';
import { Injectable } from '@nestjs/common';
import {
  ApiScope,
  ServerInput,
  type FirstStartResult,
  type OrganisationId,
  type OrganisationSlug,
  type ServerId,
  type TokenHash,
  type TokenId,
} from '@patchbay/contracts';
import { hashToken, mintPassword, mintToken, tokenHint } from '@patchbay/tokens';
import { newId } from '../../common/new-id.ts';
import { type Tx } from '../../prisma/index.ts';
import { DiscoveryQueue } from '../discovery/index.ts';
import { hashPassword } from '../identity/index.ts';
import { ServersRepository } from '../registry/index.ts';
import { Changes, type Announce, profileColumns } from '../snapshot/index.ts';
import {
  createOrganisation,
  createTokens,
  grantToEveryone,
  isUntouched,
  resetAdmin,
  revokeTokens,
  undiscoveredServers,
} from './first-start.repository.ts';

const SLUG = 'default' as OrganisationSlug;
const EMAIL = 'admin@patchbay.local';
const TOKEN_NAME = 'first start';
const DAYS = 30;
const DAY_MS = 86_400_000;

/** Absolute paths of the example servers' entries. */
export type Examples = { readonly everything: string; readonly memory: string };

type Minted = Pick<FirstStartResult, 'token' | 'apiToken'>;

/** Makes what is missing of a usable installation. Run again it resets the admin's password and replaces its own tokens. */
@Injectable()
export class FirstStart {
  constructor(
    private readonly platform: Platform,
    private readonly queue: DiscoveryQueue,
    private readonly changes: Changes,
    private readonly servers: ServersRepository,
  ) {}

  /** Everything of one organisation in one transaction: a killed first start leaves nothing behind. */
  async run(examples: Examples | null): Promise<FirstStartResult> {
    const adminPassword = mintPassword();
    const passwordHash = await hashPassword(adminPassword);
    const found = await this.platform.lookups.organisationBySlug(SLUG);
    const organisationId = found?.organisationId ?? (newId() as OrganisationId);
    const minted = await this.changes.commit(organisationId, async (tx, announce) => {
      if (found === null)
        await createOrganisation(tx, { id: organisationId, slug: SLUG, name: 'Default', createdAt: this.platform.clock.now() });
      const userId = await this.#admin(tx, organisationId, passwordHash);
      if (examples !== null) await this.#examples(tx, { organisationId, userId }, examples);
      return this.#tokens(tx, { organisationId, userId }, announce);
    });
    await this.#startDiscovery(organisationId);
    await this.changes.introduce({ organisationId, slug: SLUG });
    return { org: SLUG, adminEmail: EMAIL, adminPassword, ...minted };
  }

  /** The server program takes these jobs: its own look for undiscovered servers may be minutes away. */
  async #startDiscovery(organisationId: OrganisationId): Promise<void> {
    const servers = await this.platform.database.withOrganisation(organisationId, (tx) => undiscoveredServers(tx, organisationId));
    for (const { id, generation } of servers) await this.queue.add(organisationId, id as ServerId, generation);
  }

  async #admin(tx: Tx, organisationId: OrganisationId, passwordHash: string): Promise<string> {
    const fresh = { id: newId(), passwordHash, createdAt: this.platform.clock.now() };
    return resetAdmin(tx, { organisationId, email: EMAIL }, fresh);
  }

  /** Only where there is no server yet: an example that its admin removed stays removed. */
  async #examples(tx: Tx, { organisationId }: { organisationId: OrganisationId; userId: string }, examples: Examples): Promise<void> {
    if (!(await isUntouched(tx, organisationId))) return;
    const memoryId = newId();
    const memoryFile = join(resolve(this.platform.config.home), 'stdio', organisationId, memoryId, 'memory.json');
    const inputs = [
      {
        id: newId(),
        input: {
          kind: 'stdio',
          slug: 'everything',
          description: 'The reference server: every feature of MCP, to try things out.',
          command: 'node',
          args: [examples.everything, 'stdio'],
        },
      },
      {
        id: memoryId,
        input: {
          kind: 'stdio',
          slug: 'memory',
          description: 'A knowledge graph that remembers.',
          command: 'node',
          args: [examples.memory],
          isolation: 'shared',
          env: { MEMORY_FILE_PATH: memoryFile },
        },
      },
    ];
    for (const { id, input } of inputs) {
      const { server, secrets } = this.servers.newServer({ organisationId, operator: true }, ServerInput.parse(input), id);
      await this.servers.create(tx, server, secrets);
      await grantToEveryone(tx, organisationId, { id: newId(), serverId: id, createdAt: this.platform.clock.now() });
    }
  }

  /** A token for MCP and one for the API; those that an earlier first start minted end. */
  async #tokens(
    tx: Tx,
    { organisationId, userId }: { organisationId: OrganisationId; userId: string },
    announce: Announce,
  ): Promise<Minted> {
    const createdAt = this.platform.clock.now();
    const old = await revokeTokens(tx, { organisationId, userId, name: TOKEN_NAME }, createdAt);
    const common = { organisationId, userId, name: TOKEN_NAME, createdAt };
    const [id, apiId] = [newId(), newId()];
    const token = mintToken('pbpat', id as TokenId, this.platform.config.tokenTagKey.current.key);
    const apiToken = mintToken('pbapi', apiId as TokenId, this.platform.config.tokenTagKey.current.key);
    const expiresAt = new Date(createdAt.getTime() + DAYS * DAY_MS);
    await createTokens(
      tx,
      { ...common, id, hint: tokenHint(token), tokenHash: hashToken(token), expiresAt, ...profileColumns({}) },
      { ...common, id: apiId, hint: tokenHint(apiToken), tokenHash: hashToken(apiToken), scopes: ApiScope.options, expiresAt: null },
    );
    await announce({
      tokenIds: [id as TokenId, ...old.map((row) => row.id as TokenId)],
      forget: old.map(({ tokenHash }) => ({ kind: 'token', tokenHash: tokenHash as TokenHash })),
    });
    return { token, apiToken };
  }
}
