export { RegistryModule } from './registry.module.ts';
export { ServersRepository } from './servers.repository.ts';
