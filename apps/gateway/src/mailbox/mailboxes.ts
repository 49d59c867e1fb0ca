import { randomBytes } from 'node:crypto';
import type { OrganisationId } from '@patchbay/contracts';
import type { Bus, SharedStore } from '@patchbay/ports';
import { type Keyring, open, seal } from '@patchbay/vault';
import { hasBox, leaveLetter, Mailbox, type MailboxDeps, type Posted } from './mailbox.ts';
import { Ownership } from './ownership.ts';

export type { Posted } from './mailbox.ts';

export type MailboxesDeps = {
  readonly store: Pick<SharedStore, 'get' | 'set' | 'setIfAbsent' | 'append' | 'take' | 'delete'>;
  readonly bus: Pick<Bus, 'publish' | 'subscribe'>;
  /** The fleet's session sealing keys: whoever writes the store or the bus can neither read nor write letters. */
  readonly keyring: Keyring;
  readonly podId: string;
  readonly clock: { nowMs(): number };
  readonly logger: { warn(fields: object, message: string): void };
};

export type OpenMailbox = {
  /** Where any pod posts to; opens nothing by itself. */
  readonly address: string;
  /** Resolves when what was posted before has been delivered. Rejects when the store is away. */
  fetch(): Promise<void>;
  /** Nothing is delivered any more, and whoever posts is told so. */
  close(): void;
};

/**
 * What any pod has for the one that holds an open socket (architecture.md §5): a letter is left in the shared store, and its owner is
 * woken over the bus. Each letter is delivered once, those of one pod in order. A pod that dies takes its boxes with it: posting says so.
 */
export type Mailboxes = {
  /** A box on this pod, which other pods find when the promise is kept; when the store is away, only this pod does. */
  open(organisationId: OrganisationId, onLetter: (letter: string) => void): Promise<OpenMailbox>;
  /** Rejects when the store or the bus is away: the letter may be delivered then or not. */
  post(organisationId: OrganisationId, address: string, letter: string): Promise<Posted>;
  /** Whether somebody still waits there. Rejects when the store is away. */
  isOpen(organisationId: OrganisationId, address: string): Promise<boolean>;
  listen(): Promise<void>;
  /** Whoever posts to this pod from now on is told at once that it is gone. Never rejects. */
  close(): Promise<void>;
};

const ADDRESS_BYTES = 16;
const WAKE = ['mailbox-wake'];

export function makeMailboxes(deps: MailboxesDeps): Mailboxes {
  return new PodMailboxes(deps);
}

class PodMailboxes implements Mailboxes {
  readonly #deps: MailboxesDeps;
  readonly #boxDeps: MailboxDeps;
  readonly #ownership: Ownership;
  readonly #boxes = new Map<string, Mailbox>();

  constructor(deps: MailboxesDeps) {
    const keyring = deps.keyring.derive('mailbox');
    this.#deps = deps;
    this.#boxDeps = { store: deps.store, keyring, clock: deps.clock };
    this.#ownership = new Ownership({ ...deps, keyring });
  }

  async open(organisationId: OrganisationId, onLetter: (letter: string) => void): Promise<OpenMailbox> {
    const address = `${this.#deps.podId}.${randomBytes(ADDRESS_BYTES).toString('base64url')}`;
    const box = new Mailbox(this.#boxDeps, { address, organisationId }, onLetter);
    this.#boxes.set(address, box);
    try {
      await Promise.all([box.record(), this.#ownership.hold(organisationId)]);
    } catch (error) {
      this.#deps.logger.warn({ err: error, organisationId }, 'cannot record a mailbox: only this pod can post to it');
    }
    return { address, fetch: () => box.fetch(), close: () => this.#closeBox(box) };
  }

  async post(organisationId: OrganisationId, address: string, letter: string): Promise<Posted> {
    const owner = ownerOf(address);
    if (owner === this.#deps.podId) {
      const box = this.#boxes.get(address);
      if (box?.organisationId !== organisationId) return 'absent';
      box.take(letter);
      return 'posted';
    }
    if (!(await this.#ownership.isAlive(organisationId, owner))) return 'absent';
    const posted = await leaveLetter(this.#boxDeps, { address, organisationId }, letter);
    if (posted === 'posted') await this.#deps.bus.publish('mailboxes', seal(this.#boxDeps.keyring, address, WAKE));
    return posted;
  }

  async isOpen(organisationId: OrganisationId, address: string): Promise<boolean> {
    const owner = ownerOf(address);
    if (owner === this.#deps.podId) return this.#boxes.get(address)?.organisationId === organisationId;
    return (await this.#ownership.isAlive(organisationId, owner)) && hasBox(this.#deps.store, { address, organisationId });
  }

  async listen(): Promise<void> {
    await this.#deps.bus.subscribe('mailboxes', {
      onMessage: (message) => {
        const address = open(this.#boxDeps.keyring, message, WAKE);
        const box = address === null ? undefined : this.#boxes.get(address.toString('utf8'));
        if (box !== undefined) this.#fetch(box);
      },
      // Whoever posted meanwhile could not wake us.
      onGap: () => {
        for (const box of this.#boxes.values()) this.#fetch(box);
      },
    });
  }

  async close(): Promise<void> {
    this.#boxes.clear();
    await this.#ownership.giveUp();
  }

  #fetch(box: Mailbox): void {
    box.fetch().catch((error: unknown) => this.#deps.logger.warn({ err: error }, 'cannot fetch letters'));
  }

  #closeBox(box: Mailbox): void {
    if (!this.#boxes.delete(box.address)) return;
    this.#ownership.release(box.organisationId);
    box.close().catch((error: unknown) => this.#deps.logger.warn({ err: error }, 'cannot remove a mailbox'));
  }
}

/** The pod that made the address. */
function ownerOf(address: string): string {
  return address.split('.', 1)[0] ?? '';
}
