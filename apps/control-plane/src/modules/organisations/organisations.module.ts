import { Module } from '@nestjs/common';
import { EndpointController } from './endpoint.controller.ts';
import { EndpointService } from './endpoint.service.ts';
import { OrganisationsController } from './organisations.controller.ts';
import { OrganisationsService } from './organisations.service.ts';

@Module({
  controllers: [OrganisationsController, EndpointController],
  providers: [OrganisationsService, EndpointService],
  exports: [OrganisationsService],
})
export class OrganisationsModule {}
