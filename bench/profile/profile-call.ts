import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { replay, writeRequests } from '../load/wrk.ts';
import { CALL_SUBJECTS } from '../rows/calls.ts';
import { makeCast } from '../rows/cast.ts';
import { openStage } from '../stage/stage.ts';
import { type SelfTime, topFunctions } from './top-functions.ts';

/** How long a gateway is under load while it is looked at; it has been warmed up for as long before. */
const SECONDS = 8;
const CONNECTIONS = 16;

/** Which functions of a gateway take the time of calls of one subject. The profile itself is left in `folder`. */
export async function profileCall(subjectName: string, folder: string, say: (line: string) => void): Promise<SelfTime[]> {
  const make = CALL_SUBJECTS[subjectName];
  if (make === undefined) throw new Error(`no such subject: ${subjectName} (there are: ${Object.keys(CALL_SUBJECTS).join(', ')})`);
  mkdirSync(folder, { recursive: true });
  const own = mkdtempSync(join(folder, `${subjectName.replaceAll(' ', '-')}-`));
  const stage = await openStage({ nodeOptions: ['--cpu-prof', `--cpu-prof-dir=${own}`] });
  try {
    const { messages, port } = await make(makeCast(stage, { rounds: 1, seconds: SECONDS }, say));
    const file = join(stage.folder, 'profiled.requests');
    writeRequests(file, port, messages);
    await replay({ port, file, seconds: 2 * SECONDS, connections: CONNECTIONS });
  } finally {
    // The profile is written when the gateway ends.
    await stage.close();
  }
  const [found] = readdirSync(own);
  if (found === undefined) throw new Error('the gateway left no profile');
  return topFunctions(join(own, found), { count: TOP, lastMs: SECONDS * 1_000 });
}

const TOP = 25;
