import type { Bus, Topic } from './bus.ts';

type Listener = Parameters<Bus['subscribe']>[1];

const TOPICS: readonly Topic[] = ['revisions', 'pods', 'sessions', 'mailboxes'];
/** What NOTIFY carries; one bound for every carrier, so that none takes what another would refuse. */
const MESSAGE_BYTES_MAX = 7_900;

/** Throws a RangeError on a message that no bus carries. */
export function assertFits(message: string): void {
  if (Buffer.byteLength(message) > MESSAGE_BYTES_MAX) throw new RangeError(`A bus message has at most ${MESSAGE_BYTES_MAX} bytes.`);
}

/** Who listens to what, whatever carries the messages. What one listener throws reaches neither the carrier nor the other listeners. */
export class BusListeners {
  readonly #byTopic = new Map<Topic, Set<Listener>>(TOPICS.map((topic) => [topic, new Set()]));
  readonly #onError: ((error: unknown) => void) | undefined;

  /** `onError`: told of what a listener threw. */
  constructor(onError: ((error: unknown) => void) | undefined) {
    this.#onError = onError;
  }

  add(topic: Topic, listener: Listener): void {
    this.#of(topic).add(listener);
  }

  remove(topic: Topic, listener: Listener): void {
    this.#of(topic).delete(listener);
  }

  clear(): void {
    for (const listeners of this.#byTopic.values()) listeners.clear();
  }

  has(topic: Topic): boolean {
    return this.#of(topic).size > 0;
  }

  /** The topics that somebody listens to. */
  topics(): Topic[] {
    return TOPICS.filter((topic) => this.has(topic));
  }

  deliver(topic: Topic, message: string): void {
    for (const listener of this.#of(topic)) this.#tell(() => listener.onMessage(message));
  }

  /** Tells one listener, or all of them, that messages may have been missed. */
  gap(one?: Listener): void {
    const told = one === undefined ? [...this.#byTopic.values()].flatMap((listeners) => [...listeners]) : [one];
    for (const listener of told) this.#tell(() => listener.onGap());
  }

  #of(topic: Topic): Set<Listener> {
    return this.#byTopic.get(topic) as Set<Listener>;
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#onError?.(error);
    }
  }
}
