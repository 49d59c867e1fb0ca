import { hash, verify } from '@node-rs/argon2';

/** The library's const enum cannot be read from an isolated module. */
const ARGON2ID = 2;
/** OWASP's argon2id profile: 19 MiB, two passes. */
const OPTIONS = { algorithm: ARGON2ID, memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Verified in place of an unknown user's, so that an answer takes the same time whether the email exists or not. */
let decoy: Promise<string> | null = null;

/** The form in which a password is stored. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, OPTIONS);
}

/** Whether the password is the one that was hashed; `null` (no such user) costs as much and is never true. */
export async function verifyPassword(stored: string | null, password: string): Promise<boolean> {
  decoy ??= hashPassword('no user has this password');
  const matches = await verify(stored ?? (await decoy), password);
  return stored !== null && matches;
}
