export { authenticateMessage, messageKey, openMessage } from './authenticated-message.ts';
export { open, seal } from './envelope.ts';
export { KeyFileError, loadKeyring, loadSecret, readPrivateFile } from './key-file.ts';
export { createKeyring, type Keyring, type VaultKey } from './keyring.ts';
export { Secret } from './secret.ts';
export { secretUrl, type SecretUrlNames } from './secret-url.ts';
export { loadPublicKeys, loadSigningKey, signingKeyId } from './signing-keys.ts';
