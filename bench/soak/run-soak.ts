import { join } from 'node:path';
import type { HttpMessage } from '../load/http-message.ts';
import { modernMessage } from '../load/mcp-messages.ts';
import { replay, writeRequests } from '../load/wrk.ts';
import { residentBytes } from '../measure/cpu-time.ts';
import { median } from '../measure/statistics.ts';
import { NOT_GRANTED, type Organisation } from '../organisation/organisation.ts';
import { type Granted, makeRepublisher } from '../organisation/republish.ts';
import { CALL_SUBJECTS } from '../rows/calls.ts';
import { type Cast, makeCast, ORGANISATION_SLUG } from '../rows/cast.ts';
import { openStage } from '../stage/stage.ts';
import { abortClients } from './abort-clients.ts';

export type Soaked = {
  /** Of the median of the last third beyond that of the first, as a share. */
  readonly growth: number;
  readonly isFlat: boolean;
};

const CONNECTIONS = 200;
const LOOKS_PER_MINUTE = 6;
const LOOK_SECONDS = 60 / LOOKS_PER_MINUTE;
/** Beyond this it grows. */
const GROWTH_MAX = 0.05;
const BYTES_PER_MB = 1e6;
const COLLECT = ['--import', join(import.meta.dirname, '../preload/collect-garbage.mjs')];
const KINDS_OF_WORK = ['own endpoint', 'aggregated endpoint', 'session', 'not granted', 'over a limit'];

/**
 * 200 connections of mixed work for so many minutes, while grants and with them lists change every ten seconds and clients leave in the
 * middle of their calls. Memory is looked at after what is garbage was collected.
 */
export async function runSoak(minutes: number, say: (line: string) => void): Promise<Soaked> {
  const stage = await openStage({ nodeOptions: COLLECT });
  try {
    const cast = makeCast(stage, { rounds: 1, seconds: 1 }, say);
    const { gateway, organisation } = await cast.everything();
    const file = join(stage.folder, 'soak.requests');
    const messages = await mixedWork(cast);
    writeRequests(file, gateway.port, messages);
    const republish = makeRepublisher(organisation, stage);
    const changed = changesOf(organisation);
    const looks: number[] = [];
    for (let look = 0; look < minutes * LOOKS_PER_MINUTE; look += 1) {
      const load = replay({ port: gateway.port, file, seconds: LOOK_SECONDS, connections: CONNECTIONS });
      const aborted = abortClients(gateway.port, messages, LOOK_SECONDS);
      // A change that the stores were too late for is part of the next one.
      await republish(look % 2 === 0 ? changed : []).catch(() => say('a change could not be written'));
      const [{ broken, requests }] = await Promise.all([load, aborted]);
      process.kill(gateway.pid, 'SIGUSR2');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      looks.push(residentBytes(gateway.pid) / BYTES_PER_MB);
      say(
        `${((look + 1) * LOOK_SECONDS).toFixed(0).padStart(4)} s  ${looks.at(-1)?.toFixed(0)} MB  ${requests} answered, ${broken} broken, revision ${organisation.revision}`,
      );
    }
    const third = Math.max(1, Math.floor(looks.length / 3));
    const growth = median(looks.slice(-third)) / median(looks.slice(0, third)) - 1;
    return { growth, isFlat: growth <= GROWTH_MAX };
  } finally {
    await stage.close();
  }
}

/** Calls of each kind, lists and discovery, one after another. */
async function mixedWork(cast: Cast): Promise<readonly HttpMessage[]> {
  const messages: HttpMessage[] = [];
  for (const name of KINDS_OF_WORK) messages.push(...((await CALL_SUBJECTS[name]?.(cast))?.messages ?? []));
  const { organisation } = await cast.everything();
  for (const { token } of organisation.members) {
    const path = `/${ORGANISATION_SLUG}/mcp`;
    messages.push(
      modernMessage({ path, token }, 'server/discover'),
      modernMessage({ path: `/${ORGANISATION_SLUG}/calls-0/mcp`, token }, 'tools/list'),
    );
  }
  return messages;
}

/** A tool more on their first servers for everybody who calls. */
function changesOf({ members, servers }: Organisation): readonly Granted[] {
  return members.flatMap((member, k) => {
    const server = servers[k];
    return server === undefined ? [] : [{ member, server, tool: NOT_GRANTED }];
  });
}
