export { PersonalTokensModule } from './personal-tokens.module.ts';
export { TokensService } from './tokens.service.ts';
