export { OrganisationsModule } from './organisations.module.ts';
export { OrganisationsService } from './organisations.service.ts';
