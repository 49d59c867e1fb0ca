import { Module } from '@nestjs/common';
import { MaintenanceModule } from '../maintenance/index.ts';
import { DiscoveryQueue } from './discovery-queue.ts';
import { DiscoveryService } from './discovery.service.ts';
import { EraDoubts } from './era-doubts.ts';
import { Listeners } from './listeners.ts';
import { Transports } from './transports.ts';

@Module({
  imports: [MaintenanceModule],
  providers: [DiscoveryService, DiscoveryQueue, EraDoubts, Listeners, Transports],
  exports: [DiscoveryService, DiscoveryQueue, Listeners, Transports],
})
export class DiscoveryModule {}
