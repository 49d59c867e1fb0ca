import { LaunchSpec } from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import type { ServerKey } from './process/server-process.ts';

/** One GET to the control plane: the status and the body's text. Rejects when it cannot be reached. `confines`: what it starts is in a sandbox. */
export type AskControlPlane = (key: ServerKey, generation: string, confines: boolean) => Promise<{ status: number; text: string }>;

const CACHED_MAX = 1_000;
/** For this long a specification is not asked for again. */
const FRESH_MS = 60_000;

type Kept = { readonly spec: LaunchSpec; readonly askedAtMs: number };

/**
 * What to run, by server and generation, kept in memory only. After a minute the control plane is asked again, so that a
 * removed server is not started for long; while it cannot answer, what is kept still stands.
 */
export class LaunchSpecs {
  readonly #ask: AskControlPlane;
  readonly #confines: boolean;
  readonly #clock: { nowMs(): number };
  readonly #cached = new Map<string, Kept>();
  readonly #asking = new Map<string, Promise<LaunchSpec | Refusal>>();

  constructor(ask: AskControlPlane, { clock, confines }: { readonly clock: { nowMs(): number }; readonly confines: boolean }) {
    this.#ask = ask;
    this.#confines = confines;
    this.#clock = clock;
  }

  async get(key: ServerKey, generation: string): Promise<LaunchSpec | Refusal> {
    const server = `${key.organisationId}/${key.serverId}`;
    const nowMs = this.#clock.nowMs();
    const cached = this.#cached.get(server);
    const kept = cached?.spec.generation === generation ? cached : null;
    if (kept !== null && nowMs - kept.askedAtMs < FRESH_MS) return kept.spec;
    const question = `${server}/${generation}`;
    const asking = this.#asking.get(question) ?? this.#fetch(key, generation).finally(() => this.#asking.delete(question));
    this.#asking.set(question, asking);
    const answer = await asking;
    if (isLaunchSpec(answer)) {
      this.#remember(server, { spec: answer, askedAtMs: nowMs });
      return answer;
    }
    if (answer.code === 'stdio.launch_unavailable' && kept !== null) return kept.spec;
    if (kept !== null) this.#cached.delete(server);
    return answer;
  }

  async #fetch(key: ServerKey, generation: string): Promise<LaunchSpec | Refusal> {
    let answer: { status: number; text: string };
    try {
      answer = await this.#ask(key, generation, this.#confines);
    } catch {
      return refusal('stdio.launch_unavailable', 'The control plane cannot be reached and this server has not run here before.');
    }
    if (answer.status === 404) return refusal('stdio.launch_gone', `Server ${key.serverId}, generation ${generation}.`);
    // A decision, not an outage: what is kept must fall with it.
    if (answer.status === 403)
      return refusal(
        'stdio.not_allowed',
        'PATCHBAY_STDIO is off, no operator has approved its command, or this machine cannot confine what an organisation beside the first would run.',
      );
    if (answer.status !== 200) return refusal('stdio.launch_unavailable', `The control plane answered ${answer.status}.`);
    const parsed = LaunchSpec.safeParse(parseJson(answer.text));
    if (!parsed.success || parsed.data.generation !== generation) {
      return refusal('stdio.launch_unavailable', 'The control plane gave an answer that is not a launch specification.');
    }
    return parsed.data;
  }

  #remember(server: string, kept: Kept): void {
    this.#cached.delete(server);
    this.#cached.set(server, kept);
    const oldest = this.#cached.keys().next().value;
    if (this.#cached.size > CACHED_MAX && oldest !== undefined) this.#cached.delete(oldest);
  }
}

/** Tells a specification from a refusal. */
export function isLaunchSpec(value: LaunchSpec | Refusal): value is LaunchSpec {
  return 'command' in value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
