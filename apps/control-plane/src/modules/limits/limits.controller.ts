import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { Limit, LimitChange, LimitInput } from '@patchbay/contracts';
import { Answers } from '../../common/answers.decorator.ts';
import { CurrentCaller, type Caller } from '../../common/caller.ts';
import { pageOf, PageQuery, type Page } from '../../common/page.ts';
import { Requires } from '../../common/requires.decorator.ts';
import { LimitsService } from './limits.service.ts';

@Controller('api/v1/orgs/:org/limits')
export class LimitsController {
  constructor(private readonly limits: LimitsService) {}

  @Get()
  @Requires('limits:read')
  @Answers(200, 'Lists limits, oldest first.', { response: pageOf(Limit), query: PageQuery })
  list(@CurrentCaller() caller: Caller, @Query({ schema: PageQuery }) query: PageQuery): Promise<Page<Limit>> {
    return this.limits.list(caller, query);
  }

  @Post()
  @Requires('limits:write')
  @Answers(201, 'Limits calls: how many in which windows, how many at one time, and what counts together.', {
    response: Limit,
    body: LimitInput,
  })
  create(@CurrentCaller() caller: Caller, @Body({ schema: LimitInput }) input: LimitInput): Promise<Limit> {
    return this.limits.create(caller, input);
  }

  @Get(':id')
  @Requires('limits:read')
  @Answers(200, 'Reads a limit.', { response: Limit })
  read(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<Limit> {
    return this.limits.read(caller, id);
  }

  @Patch(':id')
  @Requires('limits:write')
  @Answers(
    200,
    'Changes a limit. A field left out stays; `applies`, `per` and `windows` are replaced whole; what was counted stays counted.',
    {
      response: Limit,
      body: LimitChange,
    },
  )
  change(@CurrentCaller() caller: Caller, @Param('id') id: string, @Body({ schema: LimitChange }) change: LimitChange): Promise<Limit> {
    return this.limits.change(caller, id, change);
  }

  @Delete(':id')
  @HttpCode(204)
  @Requires('limits:write')
  @Answers(204, 'Lifts a limit.')
  remove(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<void> {
    return this.limits.remove(caller, id);
  }
}
