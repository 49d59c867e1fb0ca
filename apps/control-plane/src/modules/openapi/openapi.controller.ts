import { Controller, Get, Header } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Public } from '../../common/requires.decorator.ts';
import { buildOpenApi, describedRoutes, type DescribedRoute } from './document.ts';
import { renderPage, STYLE } from './page.ts';

/** The API's own description; made when first asked for. */
@Controller('api')
export class OpenApiController {
  #document: object | null = null;

  constructor(private readonly modules: ModulesContainer) {}

  @Get('openapi.json')
  @Public()
  document(): object {
    this.#document ??= buildOpenApi(this.#routes());
    return this.#document;
  }

  @Get('docs')
  @Public()
  @Header('content-type', 'text/html; charset=utf-8')
  page(): string {
    return renderPage(this.#routes());
  }

  @Get('docs/style.css')
  @Public()
  @Header('content-type', 'text/css; charset=utf-8')
  style(): string {
    return STYLE;
  }

  #routes(): DescribedRoute[] {
    const controllers = [...this.modules.values()].flatMap((module) => [...module.controllers.values()].map(({ metatype }) => metatype));
    return describedRoutes(
      controllers.flatMap((controller) =>
        typeof controller === 'function' && controller.prototype !== undefined ? [controller as never] : [],
      ),
    );
  }
}
