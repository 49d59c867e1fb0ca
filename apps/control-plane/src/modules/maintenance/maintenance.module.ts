import { Module } from '@nestjs/common';
import { MaintenanceRepository } from './maintenance.repository.ts';
import { Maintenance } from './maintenance.service.ts';

@Module({ providers: [Maintenance, MaintenanceRepository], exports: [Maintenance] })
export class MaintenanceModule {}
