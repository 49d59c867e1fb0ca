import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InternalListener } from '../snapshot/index.ts';
import { DiscoveryQueue } from './discovery-queue.ts';
import { DiscoveryService } from './discovery.service.ts';

/** Has a server asked anew which era it is of when a pod saw it contradict what was found (docs/architecture/notifications.md). */
@Injectable()
export class EraDoubts implements OnModuleInit {
  constructor(
    private readonly internal: InternalListener,
    private readonly discovery: DiscoveryService,
    private readonly queue: DiscoveryQueue,
  ) {}

  onModuleInit(): void {
    this.internal.eraDoubted = async ({ organisationId, serverId, generation }) => {
      if (await this.discovery.mayProbe(organisationId, serverId, generation)) await this.queue.addProbe(organisationId, serverId);
    };
  }
}
