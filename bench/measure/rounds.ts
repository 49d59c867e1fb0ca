import { join } from 'node:path';
import { type Answer, type HttpMessage, send } from '../load/http-message.ts';
import { type Replayed, replay, writeRequests } from '../load/wrk.ts';
import { cpuMicros } from './cpu-time.ts';
import { median } from './statistics.ts';

/** One listener under one kind of request. */
export type Subject = {
  readonly name: string;
  readonly port: number;
  /** Whose processor time counts. */
  readonly pids: readonly number[];
  /** Sent in turn. */
  readonly messages: readonly HttpMessage[];
  /** Whether this is what each of them has to be answered with: a proxy that answers something else is not measured. */
  readonly accepts: (answer: Answer) => boolean;
  /** Its answers are refusals over HTTP. */
  readonly isRefused?: boolean;
};

/** What one subject did in one round. */
export type Sample = { readonly cpuUs: number; readonly perSecond: number; readonly bytesPerSecond: number; readonly p50Us: number };

export type RoundOptions = {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  /** Where files may be written. */
  readonly folder: string;
};

/** Samples of each subject, in the order of the rounds. */
export type Samples = ReadonlyMap<string, readonly Sample[]>;

/**
 * Subjects in turns, round after round, and every second round in the opposite order, so that what else the machine does meets all of
 * them alike. Each was warmed up before, and its answers looked at before and after.
 */
export async function measureRounds(subjects: readonly Subject[], options: RoundOptions): Promise<Samples> {
  const samples = new Map(subjects.map(({ name }) => [name, [] as Sample[]]));
  for (const subject of subjects) await checkAnswers(subject);
  for (const subject of subjects) writeRequests(fileOf(subject, options), subject.port, subject.messages);
  for (const subject of subjects) await sampleOf(subject, options);
  for (let round = 0; round < options.rounds; round += 1)
    for (const subject of round % 2 === 0 ? subjects : subjects.toReversed())
      samples.get(subject.name)?.push(await sampleOf(subject, options));
  for (const subject of subjects) await checkAnswers(subject);
  return samples;
}

/** Each request once, which also fills what the subject caches. */
async function checkAnswers({ accepts, messages, name, port }: Subject): Promise<void> {
  for (const message of messages) {
    const answer = await send(port, message).catch((error: unknown) => {
      throw new Error(`${name} did not answer`, { cause: error });
    });
    if (!accepts(answer)) throw new Error(`${name} answered HTTP ${answer.status}: ${answer.text.slice(0, 600)}`);
  }
}

function fileOf({ name }: Subject, { folder }: RoundOptions): string {
  return join(folder, `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.requests`);
}

async function sampleOf(subject: Subject, options: RoundOptions): Promise<Sample> {
  const { name, pids, port } = subject;
  const { connections, seconds } = options;
  const before = cpuMicros(pids);
  const replayed = await replay({ port, file: fileOf(subject, options), seconds, connections });
  const cpuUs = (cpuMicros(pids) - before) / replayed.requests;
  if (!isWhole(replayed, subject)) throw new Error(`${name} did not answer all of ${JSON.stringify(replayed)}`);
  const perSecond = (replayed.requests / replayed.durationUs) * 1e6;
  return { cpuUs, perSecond, bytesPerSecond: (replayed.bytes / replayed.durationUs) * 1e6, p50Us: replayed.p50Us };
}

function isWhole({ broken, refused, requests }: Replayed, { isRefused = false }: Subject): boolean {
  return requests > 0 && broken === 0 && (isRefused ? refused === requests : refused === 0);
}

/** A ratio of two subjects, taken in each round by itself. */
export type Ratio = { readonly median: number; readonly low: number; readonly high: number };

export function ratioOf(samples: Samples, of: string, to: string, what: keyof Sample = 'cpuUs'): Ratio {
  const [above, below] = [samplesOf(samples, of), samplesOf(samples, to)];
  const ratios = above.map((sample, round) => sample[what] / (below[round]?.[what] ?? Number.NaN));
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

export function samplesOf(samples: Samples, name: string): readonly Sample[] {
  const found = samples.get(name);
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found;
}
