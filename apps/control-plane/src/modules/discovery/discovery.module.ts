import { Module } from '@nestjs/common';
import { MaintenanceModule } from '../maintenance/index.ts';
import { DiscoveryQueue } from './discovery-queue.ts';
import { DiscoveryService } from './discovery.service.ts';
import { Transports } from './transports.ts';

@Module({
  imports: [MaintenanceModule],
  providers: [DiscoveryService, DiscoveryQueue, Transports],
  exports: [DiscoveryService, DiscoveryQueue],
})
export class DiscoveryModule {}
