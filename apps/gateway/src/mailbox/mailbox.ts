import type { OrganisationId } from '@patchbay/contracts';
import type { SharedStore } from '@patchbay/ports';
import { type Keyring, open, seal } from '@patchbay/vault';

export type MailboxDeps = {
  readonly store: Pick<SharedStore, 'setIfAbsent' | 'append' | 'take' | 'delete'>;
  /** Derived for mailboxes. */
  readonly keyring: Keyring;
  readonly clock: { nowMs(): number };
};

/** `absent`: whoever held it has closed it, or died. `full`: its owner does not keep up. */
export type Posted = 'posted' | 'absent' | 'full';

/** Longer than any call or stream that is held. */
const LIFETIME_MS = 24 * 3_600_000;
/** A letter may be as long as a request; a few of them fit. */
const CHARACTERS_MAX = 64 * 1024 * 1024;
/** Letters are fetched within moments of being posted; what is older, or seen before, was put there again by somebody else. */
const LETTER_LIFETIME_MS = 5 * 60_000;
const LETTERS_REMEMBERED_MAX = 10_000;
/** As many characters of a sealed letter as hold its version, key and nonce. */
const LETTER_NAME_CHARACTERS = 23;

/** One box as its owner has it. */
export class Mailbox {
  /** Where any pod posts to. Not a secret: only letters of this fleet open. */
  readonly address: string;
  readonly organisationId: OrganisationId;
  readonly #deps: MailboxDeps;
  readonly #onLetter: (letter: string) => void;
  /** Letters by name, and when they came: the oldest first. A table of a size set in advance would cost each box the whole of it. */
  readonly #seen = new Map<string, number>();
  #fetching: Promise<void> | null = null;
  #isWanted = false;
  #isClosed = false;

  constructor(deps: MailboxDeps, owner: Pick<Mailbox, 'address' | 'organisationId'>, onLetter: (letter: string) => void) {
    this.#deps = deps;
    this.address = owner.address;
    this.organisationId = owner.organisationId;
    this.#onLetter = onLetter;
  }

  /** Puts it where other pods find it; what lies in it already stays. */
  async record(): Promise<void> {
    await this.#deps.store.setIfAbsent(this.organisationId, boxKey(this.address), '', LIFETIME_MS);
  }

  /** Takes what was posted, in order, once: also what comes while it is being fetched. Rejects when the store is away. */
  fetch(): Promise<void> {
    this.#isWanted = true;
    this.#fetching ??= this.#fetchAll().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  /** A letter that was handed over on this pod. */
  take(letter: string): void {
    if (!this.#isClosed) this.#onLetter(letter);
  }

  /** Nothing is delivered any more; whoever posts is told that nobody is there. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#deps.store.delete(this.organisationId, boxKey(this.address));
  }

  async #fetchAll(): Promise<void> {
    while (this.#isWanted && !this.#isClosed) {
      this.#isWanted = false;
      // oxlint-disable-next-line no-await-in-loop -- letters are delivered in order
      const lines = await this.#deps.store.take(this.organisationId, boxKey(this.address));
      // A store that was emptied has lost the box as well.
      // oxlint-disable-next-line no-await-in-loop -- one after the other, as they came
      if (lines === null && !this.#isClosed) await this.record();
      for (const sealed of (lines ?? '').split('\n')) if (sealed !== '') this.#deliver(sealed);
    }
  }

  #deliver(sealed: string): void {
    const name = sealed.slice(0, LETTER_NAME_CHARACTERS);
    const opened = this.#seen.has(name) ? null : open(this.#deps.keyring, sealed, contextOf(this));
    if (opened === null) return;
    this.#remember(name);
    // The seal vouches for the form: only we write it.
    const [postedAtMs, letter] = JSON.parse(opened.toString('utf8')) as [number, string];
    if (Math.abs(this.#deps.clock.nowMs() - postedAtMs) < LETTER_LIFETIME_MS) this.take(letter);
  }

  #remember(name: string): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#seen.set(name, nowMs);
    for (const [oldest, cameAtMs] of this.#seen) {
      if (this.#seen.size <= LETTERS_REMEMBERED_MAX && nowMs - cameAtMs < 2 * LETTER_LIFETIME_MS) return;
      this.#seen.delete(oldest);
    }
  }
}

/** Leaves a letter in a box of another pod; waking that pod is the caller's to do. */
export async function leaveLetter(
  { clock, keyring, store }: MailboxDeps,
  box: Pick<Mailbox, 'address' | 'organisationId'>,
  letter: string,
): Promise<Posted> {
  const sealed = seal(keyring, JSON.stringify([clock.nowMs(), letter]), contextOf(box));
  const outcome = await store.append(box.organisationId, boxKey(box.address), `${sealed}\n`, CHARACTERS_MAX);
  return outcome === 'appended' ? 'posted' : outcome;
}

/** Whether its owner has not closed it; the owner may have died since. */
export async function hasBox(
  store: Pick<SharedStore, 'get'>,
  { address, organisationId }: Pick<Mailbox, 'address' | 'organisationId'>,
): Promise<boolean> {
  return (await store.get(organisationId, boxKey(address))) !== null;
}

function boxKey(address: string): string {
  return `mailbox/${address}`;
}

function contextOf({ address, organisationId }: Pick<Mailbox, 'address' | 'organisationId'>): string[] {
  return ['letter', organisationId, address];
}
