import { Injectable } from '@nestjs/common';
import type { Endpoint, EndpointChange } from '@patchbay/contracts';
import type { Caller } from '../../common/caller.ts';
import { Refused } from '../../common/refused.ts';
import { Platform } from '../../platform.ts';
import { Changes } from '../snapshot/index.ts';
import { changeEndpoint, endpointSettings } from './organisations.repository.ts';

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
    const settings = await database.withOrganisation(caller.organisationId, (tx) => endpointSettings(tx, caller.organisationId));
    if (settings === null) throw new Refused('api.not_found');
    return { mcpUrl: this.#urlOf(caller), ...settings };
  }

  /** In force when pods have the revision that this makes. */
  async change(caller: Asking, change: EndpointChange): Promise<Endpoint> {
    if (Object.values(change).some((value) => value !== undefined))
      await this.changes.commit(caller.organisationId, async (tx, announce) => {
        await changeEndpoint(tx, caller.organisationId, change);
        await announce();
      });
    return this.read(caller);
  }

  #urlOf({ organisationSlug }: Asking): string {
    return `${this.platform.config.gatewayUrl.href.replace(/\/$/, '')}/${organisationSlug}/mcp`;
  }
}
