import type { OrganisationId, ServerId } from '@patchbay/contracts';
import { createKeyring, open, type Keyring } from '@patchbay/vault';
import { hostIdOf } from '../../../apps/gateway/dist/upstream/stdio/hosts.js';
import type { Placed, PlacementDeps } from '../../../apps/gateway/dist/upstream/stdio/placement.js';
import { Network } from '../network.ts';
import { Random } from '../random.ts';
import { Scheduler } from '../scheduler.ts';
import { Store } from '../store.ts';
import { Trace } from '../trace.ts';
import { PlacementRules } from './placement-rules.ts';
import { PlacingPod } from './placing-pod.ts';
import { SimulatedHost } from './simulated-host.ts';

/** What a test breaks on purpose, to see that it is noticed. */
export type PlacementMutation = (deps: PlacementDeps) => PlacementDeps;

const ORGANISATIONS = ['acme', 'umbra'];
const SHARED_OF_EACH = 3;

/** Everything of one run about where stdio servers run, decided by its seed. */
export class PlacementWorld {
  readonly random: Random;
  readonly scheduler = new Scheduler();
  readonly trace = new Trace(() => this.scheduler.nowMs);
  readonly network: Network;
  readonly store: Store;
  readonly keyring: Keyring = createKeyring([Buffer.alloc(32, 3)]);
  readonly hosts: readonly SimulatedHost[];
  /** Shared ones of two organisations under the same ids, and one with a process for each session. */
  readonly servers: readonly Placed[];
  readonly pods: readonly PlacingPod[];
  readonly rules: PlacementRules;
  readonly mutation: PlacementMutation;
  readonly #records = this.keyring.derive('stdio-host');
  /** What records say, once it was read. */
  readonly #opened = new Map<string, string | null>();
  readonly #seen = new Map<string, readonly string[]>();

  constructor(seed: number, mutation: PlacementMutation) {
    this.mutation = mutation;
    this.random = new Random(seed);
    this.network = new Network(this.random, this.scheduler);
    this.store = new Store(this.network, this.random, this.scheduler);
    const urls = ['http://host1/', 'http://host2/', 'http://host3/'].slice(0, this.random.pick([2, 3, 3]));
    this.hosts = urls.map((url) => new SimulatedHost(this, url, hostIdOf(new URL(url))));
    const ids = Array.from({ length: SHARED_OF_EACH }, (_, index) => `server-${index}`);
    const shared = ORGANISATIONS.flatMap((organisation) => ids.map((id) => placed(organisation, id, 'shared')));
    this.servers = [...shared, placed('acme', 'each', 'session')];
    this.pods = ['pod1', 'pod2', 'pod3'].slice(0, this.random.pick([2, 3])).map((name) => new PlacingPod(this, name));
    this.rules = new PlacementRules(this);
  }

  get shared(): readonly Placed[] {
    return this.servers.filter(({ server }) => server.isolation === 'shared');
  }

  /** Where the store says that a server runs; null: nowhere, or in words that nobody with the key wrote for it. */
  recorded(placed: Placed): string | null {
    const record = this.store.contents.shared.get(storeKeyOf(placed));
    if (record === undefined || record.untilMs <= this.scheduler.nowMs) return null;
    const name = `${storeKeyOf(placed)} ${record.value}`;
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    const plaintext = open(this.#records, record.value, [recordKeyOf(placed), placed.organisationId]);
    const [id] = plaintext === null ? [] : (JSON.parse(plaintext.toString('utf8')) as [string, number]);
    const host = this.hosts.find((each) => each.id === id)?.name ?? null;
    this.#opened.set(name, host);
    return host;
  }

  /** Every record that an attacker has ever seen of a server. */
  oldRecords(placed: Placed): readonly string[] {
    return this.#seen.get(storeKeyOf(placed)) ?? [];
  }

  /** The attacker looks at what lies there. */
  look(): void {
    for (const placed of this.shared) {
      const [now, seen] = [this.read(placed), this.oldRecords(placed)];
      if (now !== null && !seen.includes(now)) this.#seen.set(storeKeyOf(placed), [...seen, now]);
    }
  }

  /** What lies in the store for a server, in its place of it. */
  write(placed: Placed, value: string | null): void {
    if (value === null) this.store.contents.shared.delete(storeKeyOf(placed));
    else this.store.contents.shared.set(storeKeyOf(placed), { value, untilMs: Number.POSITIVE_INFINITY });
  }

  read(placed: Placed): string | null {
    return this.store.contents.shared.get(storeKeyOf(placed))?.value ?? null;
  }
}

/** The key that all gateways write a server's record under. */
function recordKeyOf({ server }: Placed): string {
  return `stdio-host/${server.id}/${server.generation}`;
}

function storeKeyOf(placed: Placed): string {
  return `${placed.organisationId}:${recordKeyOf(placed)}`;
}

function placed(organisation: string, id: string, isolation: 'shared' | 'session'): Placed {
  return { organisationId: organisation as OrganisationId, server: { id: id as ServerId, slug: id, generation: 'g1', isolation } };
}
