import type { CatalogueEntryKind } from '@patchbay/contracts';
import type { FoundEntry } from './entries.ts';
import { LIMITS } from './limits.ts';

/** What a client may declare and we carry, each as a server hears it; the names are those of `CataloguePartHeader`. */
const CLIENT_CAPABILITIES = {
  'elicitation.form': { elicitation: { form: {} } },
  'elicitation.url': { elicitation: { url: {} } },
  roots: { roots: {} },
  sampling: { sampling: {} },
} as const;
type Unit = keyof typeof CLIENT_CAPABILITIES;
const UNITS = Object.keys(CLIENT_CAPABILITIES) as Unit[];

/** All of them in one client. */
const EVERYTHING = { elicitation: { form: {}, url: {} }, roots: {}, sampling: { tools: {} } };

/** What the server offers a client that declares these; null when it does not say. */
export type OfferTo = (capabilities: object) => Promise<readonly FoundEntry[] | null>;

/** What an earlier look found that entries need, by `contractKey`. Asked only when there is something to know. */
export type KnownNeeds = () => Promise<ReadonlyMap<string, FoundEntry['needs']>>;

/** The same for an entry on which callers rely for the same. */
export function contractKey({ contractHash, kind, name }: Pick<FoundEntry, 'contractHash' | 'kind' | 'name'>): string {
  return `${kind} ${contractHash} ${name}`;
}

/**
 * Adds what the server offers only to clients that declare something, with what that is: asked once more as a client that can do everything,
 * and, only when that shows something that is not known yet, once for each capability alone. What none of them shows alone needs all.
 */
export async function withConditional(
  plain: readonly FoundEntry[],
  offerTo: OfferTo,
  knownNeeds: KnownNeeds,
): Promise<readonly FoundEntry[]> {
  const has = new Set(plain.map(keyOf));
  const more = ((await offerTo(EVERYTHING)) ?? []).filter((entry) => !has.has(keyOf(entry)));
  if (more.length === 0) return plain;
  const known = await knownNeeds();
  const familiar = more.map((entry) => ({ ...entry, needs: known.get(contractKey(entry)) ?? [] }));
  if (familiar.every(({ needs }) => needs.length > 0)) return [...plain, ...withinLimits(plain, familiar)];
  const shownTo = async (declared: object): Promise<ReadonlySet<string>> => new Set((await offerTo(declared))?.map(keyOf) ?? []);
  const shownBy = new Map<Unit, ReadonlySet<string>>();
  for (const unit of UNITS) shownBy.set(unit, await shownTo(CLIENT_CAPABILITIES[unit]));
  // What has come up since the first look is nobody's in particular.
  const shownToAll = await shownTo({});
  const conditional = more.map((entry) => {
    if (shownToAll.has(keyOf(entry))) return entry;
    const alone = UNITS.filter((unit) => shownBy.get(unit)?.has(keyOf(entry)) === true);
    return { ...entry, needs: alone.length === 0 ? [UNITS] : alone.map((unit) => [unit]) };
  });
  return [...plain, ...withinLimits(plain, conditional)];
}

function keyOf({ kind, name }: FoundEntry): string {
  return `${kind} ${name}`;
}

/** Both together are one catalogue. */
function withinLimits(plain: readonly FoundEntry[], conditional: readonly FoundEntry[]): FoundEntry[] {
  const counts = new Map<CatalogueEntryKind, number>();
  let bytes = 0;
  const fits = (entry: FoundEntry): boolean => {
    const count = (counts.get(entry.kind) ?? 0) + 1;
    if (count > LIMITS.entries || bytes + entry.bytes.length > LIMITS.catalogueBytes) return false;
    counts.set(entry.kind, count);
    bytes += entry.bytes.length;
    return true;
  };
  for (const entry of plain) fits(entry);
  return conditional.filter(fits);
}
