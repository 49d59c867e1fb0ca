export { open, seal } from './envelope.ts';
export { KeyFileError, loadKeyring, loadSecret, readPrivateFile } from './key-file.ts';
export { createKeyring, type Keyring, type VaultKey } from './keyring.ts';
export { Secret } from './secret.ts';
