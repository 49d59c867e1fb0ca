import { DirectoryAnswer, INTERNAL_PATHS, Revisions, type OrganisationId, type PartHash, type TokenHash } from '@patchbay/contracts';
import { readAll, type InternalFetch } from '@patchbay/egress';
import type { Position } from '../snapshot/position.ts';
import type { Shape } from '../snapshot/verify.ts';

/** One GET on the control plane's internal listener, with the gateway's secret. Rejects when nobody answers in time. */
export type InternalGet = (path: string, limits: { timeoutMs: number; maxBytes: number }) => Promise<{ status: number; body: Buffer }>;

/** One POST of JSON, likewise; the answer's status. */
export type InternalSend = (path: string, body: object, limits: { timeoutMs: number; maxBytes: number }) => Promise<number>;

/** `missing`: the control plane knows that there is none. `unreachable`: nobody could say. */
export type Asked<T> = { readonly kind: 'found'; readonly value: T } | { readonly kind: 'missing' } | { readonly kind: 'unreachable' };

/** What a gateway asks the control plane when the stores cannot say. Never throws. */
export type ControlPlane = {
  /** The signed entry, and where the organisation stands now; null from a control plane of a version that does not say. */
  organisation(slug: string): Promise<Asked<{ readonly entry: string; readonly position: Position | null }>>;
  token(organisationId: OrganisationId, tokenHash: TokenHash): Promise<Asked<DirectoryAnswer>>;
  revisions(): Promise<Asked<Revisions>>;
  manifest(organisationId: OrganisationId): Promise<Asked<string>>;
  part(organisationId: OrganisationId, hash: PartHash): Promise<Asked<Buffer>>;
  /** This pod's own report. Whether the control plane has taken it, or is of a version that knows of no pods. */
  report(messages: readonly string[]): Promise<boolean>;
};

/** The GET over the pooled connections to the control plane, which carry the secret. */
export function internalGetOver(internal: InternalFetch): InternalGet {
  return async (path, limits) => {
    const { status, body } = await internal.request(path, {}, limits);
    return { status, body: await readAll(body) };
  };
}

const LOOKUP = { timeoutMs: 1_500, maxBytes: 64 * 1024 };
const LISTING = { timeoutMs: 3_000, maxBytes: 32 * 1024 * 1024 };
const PART = { timeoutMs: 10_000, maxBytes: 64 * 1024 * 1024 };
const MISSING = { kind: 'missing' } as const;
const UNREACHABLE = { kind: 'unreachable' } as const;

export function makeControlPlane({ get, send }: { get: InternalGet; send: InternalSend }): ControlPlane {
  async function ask(path: string, limits: typeof LOOKUP): Promise<Asked<Buffer>> {
    try {
      const { status, body } = await get(path, limits);
      if (status === 200) return { kind: 'found', value: body };
      return status === 404 ? MISSING : UNREACHABLE;
    } catch {
      return UNREACHABLE;
    }
  }

  async function askJson<T>(path: string, limits: typeof LOOKUP, shape: Shape<T>): Promise<Asked<T>> {
    const asked = await ask(path, limits);
    if (asked.kind !== 'found') return asked;
    try {
      const parsed = shape.safeParse(JSON.parse(asked.value.toString('utf8')));
      return parsed.success ? { kind: 'found', value: parsed.data } : UNREACHABLE;
    } catch {
      return UNREACHABLE;
    }
  }

  return {
    async organisation(slug) {
      const asked = await askJson(INTERNAL_PATHS.organisation(slug), LOOKUP, DirectoryAnswer);
      if (asked.kind !== 'found') return asked;
      const { entry, epoch, revision } = asked.value;
      if (entry === null) return MISSING;
      return { kind: 'found', value: { entry, position: epoch === undefined ? null : { epoch, revision } } };
    },
    token: (organisationId, tokenHash) => askJson(INTERNAL_PATHS.token(organisationId, tokenHash), LOOKUP, DirectoryAnswer),
    revisions: () => askJson(INTERNAL_PATHS.revisions, LISTING, Revisions),
    async manifest(organisationId) {
      const asked = await ask(INTERNAL_PATHS.manifest(organisationId), LISTING);
      return asked.kind === 'found' ? { kind: 'found', value: asked.value.toString('utf8') } : asked;
    },
    part: (organisationId, hash) => ask(INTERNAL_PATHS.part(organisationId, hash), PART),
    async report(messages) {
      try {
        const status = await send(INTERNAL_PATHS.podReports, { messages }, LOOKUP);
        return status === 204 || status === 404;
      } catch {
        return false;
      }
    },
  };
}
