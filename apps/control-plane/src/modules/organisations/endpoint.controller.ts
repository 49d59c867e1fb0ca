import { Body, Controller, Get, Patch } from '@nestjs/common';
import { Endpoint, EndpointChange } from '@patchbay/contracts';
import { Answers } from '../../common/answers.decorator.ts';
import { type Caller, CurrentCaller } from '../../common/caller.ts';
import { Requires } from '../../common/requires.decorator.ts';
import { EndpointService } from './endpoint.service.ts';

@Controller('api/v1/orgs/:org/endpoint')
export class EndpointController {
  constructor(private readonly endpoint: EndpointService) {}

  @Get()
  @Requires('servers:read')
  @Answers(200, 'Reads the aggregated endpoint: everything that a caller may use, at one address.', { response: Endpoint })
  read(@CurrentCaller() caller: Caller): Promise<Endpoint> {
    return this.endpoint.read(caller);
  }

  @Patch()
  @Requires('servers:write')
  @Answers(
    200,
    'Changes the aggregated endpoint. A field left out stays; the profile and the list of origins are each replaced as a whole.',
    {
      response: Endpoint,
      body: EndpointChange,
    },
  )
  change(@CurrentCaller() caller: Caller, @Body({ schema: EndpointChange }) change: EndpointChange): Promise<Endpoint> {
    return this.endpoint.change(caller, change);
  }
}
