import type { OrganisationId, TokenHash, UserId } from '@patchbay/contracts';
import { open, seal, type Keyring } from '@patchbay/vault';
import type { Files } from '../snapshot/files.ts';
import type { Log } from '../snapshot/log.ts';

/** A signed token entry as it was last confirmed. Holds hashes, never a token. */
export type KeptToken = {
  readonly organisationId: OrganisationId;
  readonly tokenHash: TokenHash;
  readonly userId: UserId;
  /** The revision at which it was true. */
  readonly revision: number;
  readonly jws: string;
};

/** What a restarted pod may go by when neither directory nor control plane answers. Sealed as one file, written behind. */
export type TokenDiskCache = {
  restore(): Promise<void>;
  get(organisationId: OrganisationId, tokenHash: TokenHash): KeptToken | undefined;
  remember(token: KeptToken): void;
  /** Forgets what `when` names, and writes at once: a kill must not bring it back. */
  forget(when: (token: KeptToken) => boolean): void;
  /** The same for one token, unless it was confirmed at `revision` or later. */
  forgetToken(tokenHash: TokenHash, revision: number): void;
  /** Writes what is not written yet. */
  flush(): Promise<void>;
};

export type TokenDiskCacheDeps = {
  readonly files: Files;
  readonly file: string;
  /** The session sealing keys; the cache is sealed under a subkey of its own. */
  readonly sealingKeys: Keyring;
  readonly log: Log;
  readonly max?: number;
};

/** Names the format too: another one does not open. */
const CONTEXT = ['token cache', 'v1'];
const WRITE_BEHIND_MS = 500;
/** Sealing a large cache may take at most this share of the time. */
const PAUSE_PER_WRITE = 20;

export function makeTokenDiskCache({ files, file, sealingKeys, log, max = 5_000 }: TokenDiskCacheDeps): TokenDiskCache {
  const keys = sealingKeys.derive('gateway token cache');
  const kept = new Map<TokenHash, KeptToken>();
  let dirty = false;
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();
  let pauseMs = WRITE_BEHIND_MS;

  function flush(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    writing = writing.then(write).catch((error: unknown) => log.error({ err: error }, 'the token cache could not be written'));
    return writing;
  }

  function flushSoon(): void {
    dirty = true;
    void flush();
  }

  async function write(): Promise<void> {
    if (!dirty) return;
    dirty = false;
    const startedAt = performance.now();
    const sealed = seal(keys, JSON.stringify({ tokens: [...kept.values()] }), CONTEXT);
    pauseMs = Math.max(WRITE_BEHIND_MS, (performance.now() - startedAt) * PAUSE_PER_WRITE);
    await files.writeAtomically(file, sealed);
  }

  return {
    flush,
    async restore() {
      const sealed = (await files.read(file).catch(() => null))?.toString('utf8') ?? null;
      const text = sealed === null ? null : open(keys, sealed, CONTEXT);
      if (text === null) {
        if (sealed !== null) log.warn({}, 'the token cache on disk is not ours to open; it is ignored');
        return;
      }
      // Sealed by us, so its shape is ours; each entry's signature is checked again when it is used.
      const { tokens } = JSON.parse(text.toString('utf8')) as { tokens: KeptToken[] };
      for (const token of tokens) {
        if (!kept.has(token.tokenHash)) kept.set(token.tokenHash, token);
      }
    },
    get(organisationId, tokenHash) {
      const token = kept.get(tokenHash);
      return token?.organisationId === organisationId ? token : undefined;
    },
    remember(token) {
      // Deleted first: a Map keeps insertion order, so the one used longest ago is the first to go.
      kept.delete(token.tokenHash);
      kept.set(token.tokenHash, token);
      for (const oldest of kept.keys()) {
        if (kept.size <= max) break;
        kept.delete(oldest);
      }
      dirty = true;
      timer ??= setTimeout(() => void flush(), pauseMs).unref();
    },
    forget(when) {
      const sizeBefore = kept.size;
      for (const token of kept.values()) {
        if (when(token)) kept.delete(token.tokenHash);
      }
      if (kept.size < sizeBefore) flushSoon();
    },
    forgetToken(tokenHash, revision) {
      const token = kept.get(tokenHash);
      if (token === undefined || token.revision >= revision) return;
      kept.delete(tokenHash);
      flushSoon();
    },
  };
}
