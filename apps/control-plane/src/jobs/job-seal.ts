import { createHmac } from 'node:crypto';
import { equalSecrets } from '@patchbay/tokens';
import type { Keyring } from '@patchbay/vault';

/** Ids, never content. */
export type JobData = Readonly<Record<string, string>>;
export type SealedJob = { readonly data: JobData; readonly atMs: number; readonly mac: string };

/** `forged`: not from a control plane of ours. `old`: it is, of another day. */
export type OpenedJob = { readonly ok: true; readonly data: JobData } | { readonly ok: false; readonly why: 'forged' | 'old' };

/** Jobs are for now: what a day did not run is found again by the next sweep. */
export const JOB_AGE_MS_MAX = 86_400_000;

/**
 * Tells our jobs from what somebody else put into the store: a MAC over name, data and time under a key of the control planes. A job that
 * is put in again within its day runs again, and only has a server asked again.
 */
export class JobSeal {
  readonly #keys: Keyring;

  /** Of the master key, which control planes alone hold. */
  constructor(masterKey: Keyring) {
    this.#keys = masterKey.derive('jobs');
  }

  seal(name: string, data: JobData, nowMs: number): SealedJob {
    return { data, atMs: nowMs, mac: macOf(this.#keys.current.key, { name, data, atMs: nowMs }) };
  }

  open(name: string, sealed: unknown, nowMs: number): OpenedJob {
    if (!isSealedJob(sealed)) return { ok: false, why: 'forged' };
    const { data, atMs, mac } = sealed;
    const isOurs = [...this.#keys.byId.values()].some(({ key }) => equalSecrets(mac, macOf(key, { name, data, atMs })));
    if (!isOurs) return { ok: false, why: 'forged' };
    return Math.abs(nowMs - atMs) > JOB_AGE_MS_MAX ? { ok: false, why: 'old' } : { ok: true, data };
  }
}

function macOf(key: Keyring['current']['key'], { name, data, atMs }: { name: string; data: JobData; atMs: number }): string {
  const fields = Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHmac('sha256', key)
    .update(JSON.stringify([name, atMs, fields]))
    .digest('base64url');
}

function isSealedJob(value: unknown): value is SealedJob {
  if (typeof value !== 'object' || value === null || !('data' in value) || !('atMs' in value) || !('mac' in value)) return false;
  const { data, atMs, mac } = value;
  return (
    typeof mac === 'string' &&
    typeof atMs === 'number' &&
    typeof data === 'object' &&
    data !== null &&
    Object.values(data).every((each) => typeof each === 'string')
  );
}
