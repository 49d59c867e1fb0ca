import { Module } from '@nestjs/common';
import { GrantsController } from './grants.controller.ts';
import { GrantsService } from './grants.service.ts';

@Module({ controllers: [GrantsController], providers: [GrantsService], exports: [GrantsService] })
export class AccessModule {}
