import { Injectable } from '@nestjs/common';
import { RateLimiterMemory } from 'rate-limiter-flexible';

const WINDOW_SECONDS = 900;

/** How often one address may try to sign in, in all and as one user. A success gives the user's tries back. */
@Injectable()
export class SignInLimits {
  readonly #byAddress = new RateLimiterMemory({ keyPrefix: 'address', points: 200, duration: WINDOW_SECONDS });
  readonly #byUser = new RateLimiterMemory({ keyPrefix: 'user', points: 10, duration: WINDOW_SECONDS });

  /** Counts one try; false when there were too many. Counted before the password is looked at, so that a burst cannot slip past. */
  async take(address: string, user: string): Promise<boolean> {
    try {
      await this.#byAddress.consume(address);
      // With the address: an outsider must not be able to lock an owner out.
      await this.#byUser.consume(`${address}\n${user}`);
      return true;
    } catch (error) {
      if (error instanceof Error) throw error;
      return false;
    }
  }

  async forgive(address: string, user: string): Promise<void> {
    await this.#byUser.delete(`${address}\n${user}`);
  }
}
