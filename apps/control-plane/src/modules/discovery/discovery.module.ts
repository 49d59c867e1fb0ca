import { Module } from '@nestjs/common';
import { DiscoveryQueue } from './discovery-queue.ts';
import { DiscoveryService } from './discovery.service.ts';
import { Transports } from './transports.ts';

@Module({ providers: [DiscoveryService, DiscoveryQueue, Transports], exports: [DiscoveryService, DiscoveryQueue] })
export class DiscoveryModule {}
