import { performance } from 'node:perf_hooks';
import { Injectable } from '@nestjs/common';
import type { Rollout, RolloutQuery } from '@patchbay/contracts';
import type { Caller } from '../../common/caller.ts';
import { Refused, refusedField } from '../../common/refused.ts';
import { Platform } from '../../platform.ts';
import { PodIntake } from './pod-intake.ts';
import { rolloutOf } from './rollout-of.ts';

/** Says how far a revision has come. */
@Injectable()
export class RolloutService {
  constructor(
    private readonly platform: Platform,
    private readonly intake: PodIntake,
  ) {}

  async read({ organisationId, organisationSlug }: Caller, query: RolloutQuery): Promise<Rollout> {
    await this.intake.refresh();
    const newest = await this.platform.lookups.organisationBySlug(organisationSlug);
    if (newest === null) throw new Refused('api.not_found');
    const nowMs = performance.now();
    this.intake.seen.saw(organisationId, newest, nowMs);
    const revision = query.revision ?? newest.revision;
    if (revision > newest.revision) throw refusedField('api.validation', '/revision', 'has not been made yet');
    const position = { epoch: newest.epoch, revision };
    const knownSinceMs = this.intake.seen.since(organisationId, position) ?? nowMs;
    const wallNowMs = this.platform.clock.now().getTime();
    const { pods, ...standing } = rolloutOf({ organisationId, position, knownSinceMs }, this.intake.pods(), {
      nowMs,
      knowsWhoIsThere: this.intake.knowsWhoIsThere(),
      wallMs: (ms) => wallNowMs + ms - nowMs,
    });
    return { ...standing, newest: newest.revision, pods: [...pods] };
  }
}
