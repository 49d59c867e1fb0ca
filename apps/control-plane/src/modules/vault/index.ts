export { ServerSecrets, upstreamIdentity, type SecretKind } from './server-secrets.ts';
