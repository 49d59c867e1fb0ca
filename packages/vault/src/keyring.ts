import { createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

const KEY_BYTES = 32;
const ID_LABEL = 'patchbay key id v1';

/** One AES-256 key. The id (8 hex digits) is public and derived from the key; the bytes cannot be printed. */
export type VaultKey = { readonly id: string; readonly key: KeyObject };

/** Keys of one purpose: `current` seals, every one of `byId` opens. */
export type Keyring = {
  readonly current: VaultKey;
  readonly byId: ReadonlyMap<string, VaultKey>;
  /** Independent keys for one purpose (HKDF-SHA256): what is sealed for one purpose never opens as another. */
  derive(purpose: string): Keyring;
};

/** The first key is current. Throws a RangeError when there is none or one is not 32 bytes. */
export function createKeyring(keys: readonly Uint8Array[]): Keyring {
  const vaultKeys = keys.map(vaultKey);
  const current = vaultKeys[0];
  if (current === undefined) throw new RangeError('a keyring needs at least one key');
  return {
    current,
    byId: new Map(vaultKeys.map((key) => [key.id, key])),
    derive: (purpose) => createKeyring(vaultKeys.map(({ key }) => subkey(key, purpose))),
  };
}

function vaultKey(bytes: Uint8Array): VaultKey {
  if (bytes.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes`);
  const id = createHash('sha256').update(ID_LABEL).update(bytes).digest('hex').slice(0, 8);
  return { id, key: createSecretKey(bytes) };
}

function subkey(key: KeyObject, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), `patchbay purpose v1 ${purpose}`, KEY_BYTES));
}
