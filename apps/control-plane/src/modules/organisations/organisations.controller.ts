import { Body, Controller, Post } from '@nestjs/common';
import { Organisation, OrganisationInput } from '@patchbay/contracts';
import { Answers } from '../../common/answers.decorator.ts';
import { CurrentCaller, type Caller } from '../../common/caller.ts';
import { Refused } from '../../common/refused.ts';
import { Requires } from '../../common/requires.decorator.ts';
import { OrganisationsService } from './organisations.service.ts';

@Controller('api/v1/orgs')
export class OrganisationsController {
  constructor(private readonly organisations: OrganisationsService) {}

  @Post()
  @Requires('organisations:write', { recentSignIn: true })
  @Answers(201, 'Creates an organisation with its first owner. Operators of the installation only.', {
    response: Organisation,
    body: OrganisationInput,
  })
  async create(@CurrentCaller() caller: Caller, @Body({ schema: OrganisationInput }) input: OrganisationInput): Promise<Organisation> {
    if (!caller.operator) throw new Refused('auth.forbidden');
    const { slug, name, createdAt } = await this.organisations.create({ ...input, operator: false });
    return { slug, name, createdAt };
  }
}
