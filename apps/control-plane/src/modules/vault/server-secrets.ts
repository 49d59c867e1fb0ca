import type { Server, ServerSecret } from '../../prisma/index.ts';
import { Injectable } from '@nestjs/common';
import { Fault } from '@patchbay/errors';
import { open, seal, type Keyring } from '@patchbay/vault';
import { Config } from '../../config/config.ts';

export type SecretKind = 'env' | 'header';

type Bound = Pick<Server, 'organisationId' | 'id' | 'kind' | 'url' | 'command'>;

/** Whom a server's secrets are for: another one never gets them (security.md §5). */
export function upstreamIdentity({ kind, url, command }: Pick<Server, 'kind' | 'url' | 'command'>): string {
  return kind === 'stdio' ? `stdio ${command}` : new URL(url ?? '').origin;
}

/** Seals env and header values to organisation, server, name and upstream. Nothing else opens them. */
@Injectable()
export class ServerSecrets {
  readonly #keyring: Keyring;

  constructor(config: Config) {
    this.#keyring = config.masterKey.derive('server secrets');
  }

  seal(server: Bound, kind: SecretKind, name: string, value: string): string {
    return seal(this.#keyring, value, context(server, kind, name));
  }

  /** The values by name. The one place of the control plane that reveals them. Throws a Fault when one does not open. */
  reveal(server: Bound, rows: readonly ServerSecret[], kind: SecretKind): Record<string, string> {
    const values: Record<string, string> = {};
    for (const row of rows) {
      if (row.kind !== kind) continue;
      const value = open(this.#keyring, row.sealed, context(server, kind, row.name));
      if (value === null)
        throw new Fault(
          'internal',
          `the sealed ${kind} value ${row.name} of server ${server.id} does not open: was the master key replaced?`,
        );
      values[row.name] = value.toString('utf8');
    }
    return values;
  }
}

function context({ organisationId, id, ...server }: Bound, kind: SecretKind, name: string): string[] {
  return [organisationId, id, `${kind}:${name}`, upstreamIdentity(server)];
}
