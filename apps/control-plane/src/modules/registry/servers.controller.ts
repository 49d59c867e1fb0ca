import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { Catalogue, Server, ServerChange, ServerInput, ServerProcesses } from '@patchbay/contracts';
import { Answers } from '../../common/answers.decorator.ts';
import { CurrentCaller, type Caller } from '../../common/caller.ts';
import { pageOf, PageQuery, type Page } from '../../common/page.ts';
import { Requires } from '../../common/requires.decorator.ts';
import { orRefuse } from '../../common/or-refuse.ts';
import { StdioRules } from '../stdio/index.ts';
import { CatalogueService } from './catalogue.service.ts';
import { ProcessesService } from './processes.service.ts';
import { setsCommand } from './server-change.ts';
import { ServersService } from './servers.service.ts';

@Controller('api/v1/orgs/:org/servers')
export class ServersController {
  constructor(
    private readonly servers: ServersService,
    private readonly catalogues: CatalogueService,
    private readonly stdio: StdioRules,
    private readonly running: ProcessesService,
  ) {}

  @Get()
  @Requires('servers:read')
  @Answers(200, 'Lists servers by slug.', { response: pageOf(Server), query: PageQuery })
  list(@CurrentCaller() caller: Caller, @Query({ schema: PageQuery }) query: PageQuery): Promise<Page<Server>> {
    return this.servers.list(caller, query);
  }

  @Post()
  @Requires('servers:write')
  @Answers(201, 'Registers a server and starts its discovery.', { response: Server, body: ServerInput })
  async register(@CurrentCaller() caller: Caller, @Body({ schema: ServerInput }) input: ServerInput): Promise<Server> {
    if (input.kind === 'stdio') await this.#demandMaySet(caller);
    return this.servers.register(caller, input);
  }

  @Get(':slug')
  @Requires('servers:read')
  @Answers(200, 'Reads a server; secret values are masked.', { response: Server })
  read(@CurrentCaller() caller: Caller, @Param('slug') slug: string): Promise<Server> {
    return this.servers.read(caller, slug);
  }

  @Patch(':slug')
  @Requires('servers:write')
  @Answers(200, 'Changes a server. A field left out stays; null removes one secret value; another origin drops header values.', {
    response: Server,
    body: ServerChange,
  })
  async change(
    @CurrentCaller() caller: Caller,
    @Param('slug') slug: string,
    @Body({ schema: ServerChange }) change: ServerChange,
  ): Promise<Server> {
    if (setsCommand(change)) {
      // A server that is not there is not there, whoever asks.
      const { kind } = await this.servers.read(caller, slug);
      if (kind === 'stdio') await this.#demandMaySet(caller);
    }
    return this.servers.change(caller, slug, change);
  }

  @Delete(':slug')
  @HttpCode(204)
  @Requires('servers:write')
  @Answers(204, 'Removes a server, its grants and its secrets.')
  remove(@CurrentCaller() caller: Caller, @Param('slug') slug: string): Promise<void> {
    return this.servers.remove(caller, slug);
  }

  @Get(':slug/catalogue')
  @Requires('servers:read')
  @Answers(200, 'Shows what discovery found.', { response: Catalogue })
  catalogue(@CurrentCaller() caller: Caller, @Param('slug') slug: string): Promise<Catalogue> {
    return this.catalogues.read(caller, slug);
  }

  @Get(':slug/processes')
  @Requires('servers:write')
  @Answers(200, 'Shows what runs of a stdio server, on all hosts, and how it last failed.', { response: ServerProcesses })
  processes(@CurrentCaller() caller: Caller, @Param('slug') slug: string): Promise<ServerProcesses> {
    return this.running.read(caller, slug);
  }

  @Post(':slug/discover')
  @HttpCode(200)
  @Requires('servers:write')
  @Answers(200, 'Asks the server now and answers with the catalogue; `error` says in words why it could not be asked.', {
    response: Catalogue,
  })
  discover(@CurrentCaller() caller: Caller, @Param('slug') slug: string): Promise<Catalogue> {
    return this.catalogues.discover(caller, slug);
  }

  async #demandMaySet(caller: Caller): Promise<void> {
    const refused = await this.stdio.maySet(caller);
    if (refused !== null) orRefuse(refused);
  }
}
