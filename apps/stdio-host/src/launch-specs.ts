import { LaunchSpec } from '@patchbay/contracts';
import { refusal, type Refusal } from '@patchbay/errors';
import type { ServerKey } from './process/server-process.ts';

/** One GET to the control plane: the status and the body's text. Rejects when it cannot be reached. */
export type AskControlPlane = (key: ServerKey, generation: string) => Promise<{ status: number; text: string }>;

const CACHED_MAX = 1_000;

/** What to run, by server and generation: asked once, kept in memory only, one question at a time for each. */
export class LaunchSpecs {
  readonly #ask: AskControlPlane;
  readonly #cached = new Map<string, LaunchSpec>();
  readonly #asking = new Map<string, Promise<LaunchSpec | Refusal>>();

  constructor(ask: AskControlPlane) {
    this.#ask = ask;
  }

  async get(key: ServerKey, generation: string): Promise<LaunchSpec | Refusal> {
    const server = `${key.organisationId}/${key.serverId}`;
    const cached = this.#cached.get(server);
    if (cached?.generation === generation) return cached;
    const question = `${server}/${generation}`;
    const asking = this.#asking.get(question) ?? this.#fetch(key, generation).finally(() => this.#asking.delete(question));
    this.#asking.set(question, asking);
    const spec = await asking;
    if (isLaunchSpec(spec)) this.#remember(server, spec);
    return spec;
  }

  async #fetch(key: ServerKey, generation: string): Promise<LaunchSpec | Refusal> {
    let answer: { status: number; text: string };
    try {
      answer = await this.#ask(key, generation);
    } catch {
      return refusal('stdio.launch_unavailable', 'The control plane cannot be reached and this server has not run here before.');
    }
    if (answer.status === 404) return refusal('stdio.launch_gone', `Server ${key.serverId}, generation ${generation}.`);
    if (answer.status !== 200) return refusal('stdio.launch_unavailable', `The control plane answered ${answer.status}.`);
    const parsed = LaunchSpec.safeParse(parseJson(answer.text));
    if (!parsed.success || parsed.data.generation !== generation) {
      return refusal('stdio.launch_unavailable', 'The control plane gave an answer that is not a launch specification.');
    }
    return parsed.data;
  }

  #remember(server: string, spec: LaunchSpec): void {
    this.#cached.delete(server);
    this.#cached.set(server, spec);
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
