import { Injectable } from '@nestjs/common';

/** Every route of the API, filled in once the application stands. */
@Injectable()
export class Routes {
  patterns: readonly { readonly method: string; readonly expression: RegExp }[] = [];

  /** The methods that an address takes; none: there is nothing at it. */
  methodsAt(path: string): string[] {
    return [...new Set(this.patterns.filter(({ expression }) => expression.test(path)).map(({ method }) => method))];
  }
}
