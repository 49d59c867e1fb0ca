import { Controller, Get, Query } from '@nestjs/common';
import { Rollout, RolloutQuery } from '@patchbay/contracts';
import { Answers } from '../../common/answers.decorator.ts';
import { CurrentCaller, type Caller } from '../../common/caller.ts';
import { Requires } from '../../common/requires.decorator.ts';
import { RolloutService } from './rollout.service.ts';

@Controller('api/v1/orgs/:org/rollout')
export class RolloutController {
  constructor(private readonly rollouts: RolloutService) {}

  @Get()
  @Requires('servers:read')
  @Answers(200, 'Says which pods enforce a revision: that of a `Patchbay-Revision` header, or the newest.', {
    response: Rollout,
    query: RolloutQuery,
  })
  read(@CurrentCaller() caller: Caller, @Query({ schema: RolloutQuery }) query: RolloutQuery): Promise<Rollout> {
    return this.rollouts.read(caller, query);
  }
}
