import { Injectable } from '@nestjs/common';
import type { Endpoint, EndpointChange } from '@patchbay/contracts';
import type { Caller } from '../../common/caller.ts';
import { Refused } from '../../common/refused.ts';
import { Platform } from '../../platform.ts';
import { Changes } from '../snapshot/index.ts';
import { aggregateProfile, setAggregateProfile } from './organisations.repository.ts';

type Asking = Pick<Caller, 'organisationId' | 'organisationSlug'>;

/** The organisation's aggregated endpoint, as its admins see and set it. */
@Injectable()
export class EndpointService {
  constructor(
    private readonly platform: Platform,
    private readonly changes: Changes,
  ) {}

  async read(caller: Asking): Promise<Endpoint> {
    const { database } = this.platform;
    const clientProfile = await database.withOrganisation(caller.organisationId, (tx) => aggregateProfile(tx, caller.organisationId));
    if (clientProfile === null) throw new Refused('api.not_found');
    return { mcpUrl: this.#urlOf(caller), clientProfile };
  }

  /** In force when pods have the revision that this makes. */
  async change(caller: Asking, { clientProfile }: EndpointChange): Promise<Endpoint> {
    if (clientProfile !== undefined)
      await this.changes.commit(caller.organisationId, async (tx, announce) => {
        await setAggregateProfile(tx, caller.organisationId, clientProfile);
        await announce();
      });
    return this.read(caller);
  }

  #urlOf({ organisationSlug }: Asking): string {
    return `${this.platform.config.gatewayUrl.href.replace(/\/$/, '')}/${organisationSlug}/mcp`;
  }
}
