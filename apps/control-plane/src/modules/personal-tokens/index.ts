export { PersonalTokensModule } from './personal-tokens.module.ts';
