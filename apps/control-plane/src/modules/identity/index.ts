export { isTrustedBrowser } from './browser-request.ts';
export { Callers } from './callers.ts';
export { IdentityModule } from './identity.module.ts';
export { hashPassword } from './passwords.ts';
