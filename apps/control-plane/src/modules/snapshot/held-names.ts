import { randomBytes } from 'node:crypto';
import type { OrganisationId } from '@patchbay/contracts';

/** The bare names that one server holds, in order, and what stands for them. */
export type HeldNames = { readonly stamp: string; readonly tools: readonly string[]; readonly prompts: readonly string[] };

/** By server; who holds none is left out. */
export type NamesByServer = ReadonlyMap<string, HeldNames>;

type Row = {
  readonly id: string;
  readonly namesStamp: string | null;
  readonly names: readonly (readonly [kind: string, name: string])[] | null;
};

const NONE: NamesByServer = new Map();
const ORGANISATIONS_MAX = 64;

/**
 * Bare names are most of a large organisation's rows and change with its catalogues alone. So what was read is kept, and the database
 * sends only names of which the stamp has become another. Who chooses names does not know the seed, and cannot make two lists of one stamp.
 */
export class NamesKept {
  readonly seed = randomBytes(8).readBigInt64BE();
  readonly #organisations = new Map<OrganisationId, NamesByServer>();

  /** What the next reading need not send. */
  of(organisationId: OrganisationId): NamesByServer {
    return this.#organisations.get(organisationId) ?? NONE;
  }

  /** All names as of a reading that left out those that `known` has. */
  read(organisationId: OrganisationId, servers: readonly Row[], known: NamesByServer): NamesByServer {
    const names = new Map<string, HeldNames>();
    for (const { id, namesStamp: stamp, names: sent } of servers) {
      if (stamp === null) continue;
      const held = sent === null ? known.get(id) : heldNames(stamp, sent);
      if (held !== undefined) names.set(id, held);
    }
    this.#organisations.delete(organisationId);
    this.#organisations.set(organisationId, names);
    for (const oldest of this.#organisations.keys()) {
      if (this.#organisations.size <= ORGANISATIONS_MAX) break;
      this.#organisations.delete(oldest);
    }
    return names;
  }
}

function heldNames(stamp: string, sent: NonNullable<Row['names']>): HeldNames {
  const of = (wanted: string): string[] => sent.filter(([kind]) => kind === wanted).map(([, name]) => name);
  return { stamp, tools: of('tool'), prompts: of('prompt') };
}
