import type { ClientProfile } from '@patchbay/contracts';
import type { PersonalToken } from '../../prisma/index.ts';

/** Where a row holds a profile: a token's, a server's, an organisation's. */
export type ProfileColumns = Pick<PersonalToken, 'nameLengthMax' | 'namePunctuation' | 'toolsMax'>;

/** A profile as a row holds it: a token's, a server's, an organisation's. */
export function profileColumns({ nameLengthMax, namePunctuation, toolsMax }: ClientProfile): ProfileColumns {
  return { nameLengthMax: nameLengthMax ?? null, namePunctuation: namePunctuation ?? null, toolsMax: toolsMax ?? null };
}

/** The other way round; undefined for a client that takes anything. */
export function profileOf({ nameLengthMax, namePunctuation, toolsMax }: ProfileColumns): ClientProfile | undefined {
  const profile = {
    ...(nameLengthMax === null ? {} : { nameLengthMax }),
    ...(namePunctuation === null ? {} : { namePunctuation }),
    ...(toolsMax === null ? {} : { toolsMax }),
  };
  return Object.keys(profile).length === 0 ? undefined : profile;
}
