import { Module } from '@nestjs/common';
import { DiscoveryModule } from '../discovery/index.ts';
import { CatalogueService } from './catalogue.service.ts';
import { ProcessesService } from './processes.service.ts';
import { ServersController } from './servers.controller.ts';
import { ServersRepository } from './servers.repository.ts';
import { ServersService } from './servers.service.ts';

@Module({
  imports: [DiscoveryModule],
  controllers: [ServersController],
  providers: [ServersService, CatalogueService, ProcessesService, ServersRepository],
  exports: [ServersService, ServersRepository],
})
export class RegistryModule {}
