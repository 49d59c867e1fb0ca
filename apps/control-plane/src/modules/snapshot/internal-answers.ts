import { Platform } from '../../platform.ts';
import { Injectable } from '@nestjs/common';
import type {
  CredentialRelease,
  CredentialRequest,
  DirectoryAnswer,
  LaunchSpec,
  OrganisationId,
  Revision,
  Revisions,
  ServerId,
  TokenHash,
} from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import { type Tx } from '../../prisma/index.ts';
import { PodIntake } from '../rollout/index.ts';
import { mayStartUnconfined, StdioRules } from '../stdio/index.ts';
import { ServerSecrets } from '../vault/index.ts';
import { openingsFor } from './openings.ts';
import { readOrganisation, tokenByHash } from './directory-rows.repository.ts';
import { isGranted, serverWithSecrets, type ServerWithSecrets } from './released-rows.repository.ts';
import { tokenEntry } from './token-entries.ts';

type LaunchRequest = { readonly serverId: ServerId; readonly generation: string; readonly confines: boolean };

/** What our own programs are told. Values that are secrets go to the kind of program that needs them and to no other. */
@Injectable()
export class InternalAnswers {
  constructor(
    private readonly platform: Platform,
    private readonly vault: ServerSecrets,
    private readonly stdio: StdioRules,
    private readonly pods: PodIntake,
  ) {}

  async revisions(): Promise<Revisions> {
    return { organisations: await this.platform.lookups.positions() };
  }

  async organisation(slug: string): Promise<DirectoryAnswer | null> {
    const found = await this.platform.lookups.organisationBySlug(slug);
    if (found === null) return null;
    const entry = await this.platform.signer.sign('organisationEntry', { organisationId: found.organisationId, slug: found.slug });
    return { entry, revision: found.revision, epoch: found.epoch };
  }

  /** The entry and the revision of one and the same moment; a null entry means that there is no such token. */
  async token(organisationId: OrganisationId, tokenHash: TokenHash): Promise<DirectoryAnswer | null> {
    return this.platform.database.withOrganisation(
      organisationId,
      async (tx) => {
        const organisation = await readOrganisation(tx, organisationId);
        if (organisation === null) return null;
        const revision = organisation.revision as Revision;
        const row = await tokenByHash(tx, organisationId, tokenHash);
        return { entry: row === null ? null : await tokenEntry(row, revision, this.platform.signer), revision };
      },
      { repeatableRead: true },
    );
  }

  /** Resolves when it is certain that this pod is known of. */
  podReports(messages: readonly string[]): Promise<void> {
    return this.pods.posted(messages);
  }

  /** Header values, against a caller's token that is valid now and whose user may use that server now. */
  async credential({ organisationId, serverId, generation, tokenHash }: CredentialRequest): Promise<CredentialRelease | Refusal> {
    return this.platform.database.withOrganisation(organisationId, async (tx) => {
      if (!(await this.#mayUse(tx, { organisationId, serverId, tokenHash }))) return refusal('auth.forbidden');
      const server = await serverWithSecrets(tx, organisationId, serverId);
      if (server === null || server.kind !== 'streamable-http' || server.generation !== generation) return refusal('api.not_found');
      return { headers: this.vault.reveal(server, server.secrets, 'header') };
    });
  }

  /** What a stdio host is to run. `confines`: it has a sandbox for it. */
  async launch(organisationId: OrganisationId, { confines, generation, serverId }: LaunchRequest): Promise<LaunchSpec | Refusal> {
    const policy = await this.stdio.policy();
    const { config, lookups } = this.platform;
    const organisations = (await lookups.positions()).map((position) => position.organisationId);
    const openings = openingsFor(organisations.length, config.egressAllow);
    const unconfined = confines ? null : mayStartUnconfined(organisationId, organisations);
    return this.platform.database.withOrganisation(organisationId, async (tx) => {
      const server = await serverWithSecrets(tx, organisationId, serverId);
      if (server === null || server.kind === 'streamable-http' || server.generation !== generation) return refusal('api.not_found');
      const refused = server.kind === 'stdio' ? (this.stdio.mayStart(policy, server.approved) ?? unconfined) : null;
      if (refused !== null) return refused;
      const { slug, command, args, egress, isolation, secrets } = server;
      return {
        generation,
        slug,
        command: command ?? '',
        args,
        env: this.vault.reveal(server, secrets, 'env'),
        dial: server.kind === 'stdio' ? null : this.#dialOf(server),
        isolation: isolation as LaunchSpec['isolation'],
        egress: { targets: egress, openings },
      };
    });
  }

  #dialOf(server: ServerWithSecrets): LaunchSpec['dial'] {
    const headers = Object.entries(this.vault.reveal(server, server.secrets, 'header')).map(([name, value]) => [name.toLowerCase(), value]);
    // Rows hold what our own schemas and the table's checks admitted.
    const transport = server.kind as NonNullable<LaunchSpec['dial']>['transport'];
    return {
      transport,
      url: server.url ?? '',
      headers: Object.fromEntries(headers) as Record<string, string>,
      connectMs: server.connectMs,
    };
  }

  async #mayUse(tx: Tx, { organisationId, serverId, tokenHash }: Omit<CredentialRequest, 'generation'>): Promise<boolean> {
    const token = await tokenByHash(tx, organisationId, tokenHash);
    if (token === null || token.revokedAt !== null || token.expiresAt <= this.platform.clock.now()) return false;
    return isGranted(tx, organisationId, { serverId, userId: token.userId });
  }
}
