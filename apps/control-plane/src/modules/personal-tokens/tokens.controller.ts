import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { MintedToken, Token, TokenInput } from '@patchbay/contracts';
import { Answers } from '../../common/answers.decorator.ts';
import { CurrentCaller, type Caller } from '../../common/caller.ts';
import { pageOf, PageQuery, type Page } from '../../common/page.ts';
import { Requires } from '../../common/requires.decorator.ts';
import { TokensService } from './tokens.service.ts';

@Controller('api/v1/orgs/:org/tokens')
export class TokensController {
  constructor(private readonly tokens: TokensService) {}

  @Get()
  @Requires('tokens:read')
  @Answers(200, 'Lists personal access tokens: all for owners, admins and auditors, else one’s own.', {
    response: pageOf(Token),
    query: PageQuery,
  })
  list(@CurrentCaller() caller: Caller, @Query({ schema: PageQuery }) query: PageQuery): Promise<Page<Token>> {
    return this.tokens.list(caller, query);
  }

  @Post()
  @Requires('tokens:mint')
  @Answers(201, 'Mints a personal access token for oneself; the only answer that shows it.', { response: MintedToken, body: TokenInput })
  mint(@CurrentCaller() caller: Caller, @Body({ schema: TokenInput }) input: TokenInput): Promise<MintedToken> {
    return this.tokens.mint(caller, input);
  }

  @Delete(':id')
  @HttpCode(204)
  @Requires('tokens:mint')
  @Answers(204, 'Revokes a token: one’s own, or anybody’s for owners and admins.')
  revoke(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<void> {
    return this.tokens.revoke(caller, id);
  }
}
