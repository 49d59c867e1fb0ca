export { IdentityModule } from './identity.module.ts';
export { hashPassword } from './passwords.ts';
