export { AccessModule } from './access.module.ts';
export { GrantsService } from './grants.service.ts';
