const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';
/** Which notification a member of the honoured filter stands for. */
const LIST_CHANGES = {
  toolsListChanged: 'notifications/tools/list_changed',
  promptsListChanged: 'notifications/prompts/list_changed',
  resourcesListChanged: 'notifications/resources/list_changed',
} as const;

type Acknowledgement = {
  readonly method?: unknown;
  readonly params?: { readonly _meta?: unknown; readonly notifications?: Readonly<Record<string, unknown>> };
};

/**
 * What a client hears of a subscription whose stream was opened again: not the second acknowledgement, but that all it listens to may have
 * changed meanwhile, because nobody repeats what was missed.
 */
export class SubscriptionRenewal {
  readonly #deliver: (message: Buffer) => Promise<void>;
  #isAcknowledged = false;

  constructor(deliver: (message: Buffer) => Promise<void>) {
    this.#deliver = deliver;
  }

  /** The subscription stands as far as the client knows, so an end of the stream is not told. */
  get isRenewing(): boolean {
    return this.#isAcknowledged;
  }

  async hear(message: Buffer): Promise<void> {
    const acknowledgement = message.includes(ACKNOWLEDGED) ? (JSON.parse(message.toString('utf8')) as Acknowledgement) : null;
    if (acknowledgement?.method !== ACKNOWLEDGED) return this.#deliver(message);
    if (this.#isAcknowledged) {
      for (const missed of missedBy(acknowledgement)) await this.#deliver(Buffer.from(JSON.stringify(missed)));
      return;
    }
    this.#isAcknowledged = true;
    await this.#deliver(message);
  }
}

function missedBy({ params }: Acknowledgement): object[] {
  const honoured = params?.notifications ?? {};
  const meta = params?._meta === undefined ? {} : { _meta: params._meta };
  const lists = Object.entries(LIST_CHANGES).filter(([member]) => honoured[member] === true);
  const uris = Array.isArray(honoured['resourceSubscriptions']) ? (honoured['resourceSubscriptions'] as unknown[]) : [];
  return [
    ...lists.map(([, method]) => ({ jsonrpc: '2.0', method, params: meta })),
    ...uris.map((uri) => ({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri, ...meta } })),
  ];
}
