export { MaintenanceModule } from './maintenance.module.ts';
export { Maintenance } from './maintenance.service.ts';
