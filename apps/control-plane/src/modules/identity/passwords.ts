import { hash, verify } from '@node-rs/argon2';
import { Bounded } from '../../common/bounded.ts';

/** The library's const enum cannot be read from an isolated module. */
const ARGON2ID = 2;
/** OWASP's argon2id profile: 19 MiB, two passes. */
const OPTIONS = { algorithm: ARGON2ID, memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** A flood of sign-ins takes two threads and 38 MiB, and nobody waits longer than a line of 32 takes: about half a second. */
const verifying = new Bounded({ atOnceMax: 2, waitingMax: 32 });

/** Verified in place of an unknown user's, so that an answer takes the same time whether the email exists or not. */
let decoy: Promise<string> | null = null;

/** The form in which a password is stored. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, OPTIONS);
}

/** Whether the password is the one that was hashed; no such user (`stored` null) costs as much and is never true. Null: too many wait. */
export async function verifyPassword(stored: string | null, password: string): Promise<boolean | null> {
  const matches = await verifying.run(async () => {
    decoy ??= hashPassword('no user has this password');
    return verify(stored ?? (await decoy), password);
  });
  return matches === null ? null : stored !== null && matches;
}
