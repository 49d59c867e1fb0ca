export { claimBareNames } from './bare-names.repository.ts';
export { DiscoveryModule } from './discovery.module.ts';
export { DiscoveryQueue } from './discovery-queue.ts';
export { DiscoveryService } from './discovery.service.ts';
export { Listeners } from './listeners.ts';
export { Transports } from './transports.ts';
