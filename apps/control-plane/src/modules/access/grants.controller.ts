import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { Grant, GrantInput } from '@patchbay/contracts';
import { Answers } from '../../common/answers.decorator.ts';
import { CurrentCaller, type Caller } from '../../common/caller.ts';
import { pageOf, PageQuery, type Page } from '../../common/page.ts';
import { Requires } from '../../common/requires.decorator.ts';
import { GrantsService } from './grants.service.ts';

@Controller('api/v1/orgs/:org/grants')
export class GrantsController {
  constructor(private readonly grants: GrantsService) {}

  @Get()
  @Requires('grants:read')
  @Answers(200, 'Lists grants, oldest first.', { response: pageOf(Grant), query: PageQuery })
  list(@CurrentCaller() caller: Caller, @Query({ schema: PageQuery }) query: PageQuery): Promise<Page<Grant>> {
    return this.grants.list(caller, query);
  }

  @Post()
  @Requires('grants:write')
  @Answers(201, 'Lets a user, or everyone in the organisation, use tools of one server.', { response: Grant, body: GrantInput })
  create(@CurrentCaller() caller: Caller, @Body({ schema: GrantInput }) input: GrantInput): Promise<Grant> {
    return this.grants.create(caller, input);
  }

  @Delete(':id')
  @HttpCode(204)
  @Requires('grants:write')
  @Answers(204, 'Withdraws a grant.')
  remove(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<void> {
    return this.grants.remove(caller, id);
  }
}
