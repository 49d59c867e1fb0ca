import { Module } from '@nestjs/common';
import { GrantsController } from './grants.controller.ts';
import { GrantsRepository } from './grants.repository.ts';
import { GrantsService } from './grants.service.ts';

@Module({ controllers: [GrantsController], providers: [GrantsService, GrantsRepository], exports: [GrantsService] })
export class AccessModule {}
