import type { ClientProfile } from '@patchbay/contracts';
import type { CallContext } from '../pipeline/context.ts';
import type { EntryKind, ListedEntry } from '../snapshot/compiled.ts';

/** What a list was relieved of for a client that would reject it, by reason: how many, and the first of their names. */
export type Relieved = Readonly<Record<string, { readonly count: number; readonly names: readonly string[] }>>;

const NAMES_MAX = 20;
const ANYTHING: ClientProfile = {};

/** What the caller's client can take at this endpoint: of what its token says and what the endpoint says, member by member, the narrower. */
export function profileAt({ endpointServer, principal, snapshot }: CallContext): ClientProfile {
  const ofToken = principal?.clientProfile;
  const ofEndpoint = endpointServer === null ? snapshot?.clientProfile : endpointServer.clientProfile;
  return ofToken === undefined || ofEndpoint === undefined ? (ofToken ?? ofEndpoint ?? ANYTHING) : narrower(ofToken, ofEndpoint);
}

function narrower(one: ClientProfile, other: ClientProfile): ClientProfile {
  return {
    nameLengthMax: smaller(one.nameLengthMax, other.nameLengthMax),
    namePunctuation: common(one.namePunctuation, other.namePunctuation),
    toolsMax: smaller(one.toolsMax, other.toolsMax),
  };
}

function smaller(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

function common(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.replaceAll(/./g, (character) => (other.includes(character) ? character : ''));
}

/** The entries that a client of this profile takes, and what was left out; null when nothing was. Names are those of this endpoint. */
export function fitProfile(
  entries: readonly ListedEntry[],
  kind: EntryKind,
  profile: ClientProfile,
): { readonly entries: readonly ListedEntry[]; readonly leftOut: Relieved | null } {
  if (kind !== 'tool' && kind !== 'prompt') return { entries, leftOut: null };
  const { nameLengthMax = Infinity, namePunctuation, toolsMax = Infinity } = profile;
  const leftOut: Record<string, { count: number; names: string[] }> = {};
  const fitting = entries.filter(({ name }) => {
    if (name.length > nameLengthMax) return leave(leftOut, `name longer than ${nameLengthMax}`, name);
    return isTaken(name, namePunctuation) || leave(leftOut, 'name with other characters', name);
  });
  const taken = kind === 'tool' ? fitting.slice(0, toolsMax) : fitting;
  for (const { name } of fitting.slice(taken.length)) leave(leftOut, `beyond the first ${toolsMax}`, name);
  return { entries: taken, leftOut: Object.keys(leftOut).length === 0 ? null : leftOut };
}

function leave(leftOut: Record<string, { count: number; names: string[] }>, why: string, name: string): false {
  const said = (leftOut[why] ??= { count: 0, names: [] });
  said.count += 1;
  if (said.names.length < NAMES_MAX) said.names.push(name);
  return false;
}

/** `punctuation`: what names may hold besides letters and digits; undefined: anything. */
function isTaken(name: string, punctuation: string | undefined): boolean {
  if (punctuation === undefined) return true;
  const others = name.replaceAll(/[A-Za-z0-9]/g, '');
  return others.split('').every((character) => punctuation.includes(character));
}
