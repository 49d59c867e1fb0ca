import { Injectable } from '@nestjs/common';
import type { OrganisationId } from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import type { Caller } from '../../common/caller.ts';
import { Config, type StdioPolicy } from '../../config/config.ts';
import { Lookups } from '../../prisma/index.ts';

/** Who may say what a stdio server runs, and who may have one run (security.md §3). Asked by every route that ends in running one. */
@Injectable()
export class StdioRules {
  constructor(
    private readonly config: Config,
    private readonly lookups: Lookups,
  ) {}

  /** The installation's choice; without one, `any` until a second organisation exists. */
  async policy(): Promise<StdioPolicy> {
    return this.config.stdio ?? ((await this.lookups.positions()).length > 1 ? 'templates' : 'any');
  }

  /** Setting command, args, env, isolation or egress. */
  async maySet({ operator }: Caller): Promise<Refusal | null> {
    const policy = await this.policy();
    if (policy === 'any' || (policy === 'templates' && operator)) return null;
    return refusal(
      'stdio.not_allowed',
      policy === 'off'
        ? 'PATCHBAY_STDIO is off.'
        : 'An operator of the installation has to set its command, args, env, isolation and egress.',
    );
  }

  /** Having one run as it is registered: what an operator approved, admins may run. */
  async mayRun({ operator }: Caller, approved: boolean): Promise<Refusal | null> {
    return this.mayStart(await this.policy(), operator || approved);
  }

  /** Whether it may be started at all, whoever's call needs it: also one that was registered while more was allowed. */
  mayStart(policy: StdioPolicy, approved: boolean): Refusal | null {
    if (policy === 'any' || (policy === 'templates' && approved)) return null;
    return refusal(
      'stdio.not_allowed',
      policy === 'off' ? 'PATCHBAY_STDIO is off.' : 'An operator of the installation has to approve its command first.',
    );
  }
}

/** Where nothing confines what runs, only the first organisation may run anything (security.md §3). Ids are in the order of their making. */
export function mayStartUnconfined(organisationId: OrganisationId, all: readonly OrganisationId[]): Refusal | null {
  if (!all.some((other) => other < organisationId)) return null;
  return refusal(
    'stdio.not_allowed',
    'The machine that would run it cannot confine it: only the first organisation may run servers there.',
  );
}
