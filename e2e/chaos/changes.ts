import { GATEWAYS } from '../support/scaled/layout.ts';
import type { ScaledPlatform } from '../support/scaled/platform.ts';
import { modern } from '../support/raw.ts';
import type { RevokedToken } from './model.ts';

type Gateway = (typeof GATEWAYS)[number];
type Minted = { readonly id: string; readonly token: string };
type Watched = RevokedToken &
  Minted & { readonly confirmed: Record<string, number>; readonly accepted: { gateway: string; askedAtMs: number }[] };

const EVERY_MS = 400;
const API_TIMEOUT_MS = 5_000;
const ASK_TIMEOUT_MS = 2_500;
const CONFIRMED_WITHIN_MS = 20_000;
const LIVE_KEPT = 3;
/** Revoked tokens that are still tried now and then: the newest, and some of the older ones. */
const TRIED_PER_ROUND = 4;

/** Revisions all the time: tokens minted and revoked, a grant withdrawn and given. Knows what every gateway has to say in the end. */
export class Changes {
  readonly revoked: Watched[] = [];
  /** Revocations that the API said are in force everywhere. */
  confirmations = 0;
  answered = 0;
  failed = 0;
  readonly #platform: ScaledPlatform;
  readonly #live: Minted[] = [];
  /** Revoked without an answer: it has to be asked again until there is one. */
  #unsure: Minted | null = null;
  #revision = 0;
  #turn = 0;
  #isHeld = false;
  #isStopped = false;
  #current: Promise<void> = Promise.resolve();
  #loops: Promise<void>[] = [];

  constructor(platform: ScaledPlatform) {
    this.#platform = platform;
  }

  start(): void {
    this.#loops = [
      this.#loop(EVERY_MS, () => (this.#isHeld ? Promise.resolve() : this.#change())),
      this.#loop(100, () => this.#tryRevoked()),
    ];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }

  /** No change begins until `release`; resolves when the one under way has ended. */
  async hold(): Promise<void> {
    this.#isHeld = true;
    await this.#current;
  }

  release(): void {
    this.#isHeld = false;
  }

  /** What is not yet in force somewhere, in words. Only while held. */
  async missing(): Promise<string[]> {
    if (this.#unsure !== null) await this.#revoke(this.#unsure);
    if (this.#unsure !== null) return ['the API has not answered a revocation'];
    const grants = await this.#grants();
    if (grants === null) return ['the API does not answer'];
    return (await Promise.all(GATEWAYS.map((gateway) => this.#missingAt(gateway, grants.length > 0)))).flat();
  }

  async #loop(everyMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#isStopped) {
      this.#current = work().catch(() => undefined);
      await this.#current;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  async #change(): Promise<void> {
    const turn = this.#turn++;
    if (this.#unsure !== null) return this.#revoke(this.#unsure);
    if (turn % 4 === 3) return this.#toggleGrant();
    if (this.#live.length > LIVE_KEPT) return this.#revoke(this.#live.shift()!);
    return this.#mint();
  }

  async #mint(): Promise<void> {
    const { body, isAnswered } = await this.#api('POST', '/tokens', { name: 'chaos' }, [201]);
    // A token whose minting was not answered is nobody's.
    if (isAnswered) this.#live.push({ id: String(body['id']), token: String(body['token']) });
  }

  async #revoke(minted: Minted): Promise<void> {
    this.#unsure = minted;
    const { isAnswered, revision } = await this.#api('DELETE', `/tokens/${minted.id}`, undefined, [204, 404]);
    if (!isAnswered) return;
    this.#unsure = null;
    const watched = { ...minted, revokedAtMs: Date.now(), confirmed: {}, accepted: [] };
    this.revoked.push(watched);
    if (revision !== null) void this.#confirm(watched, revision);
  }

  /** Once the API says that a revocation is in force everywhere, every gateway is held to it, whether or not it was asked before. */
  async #confirm(watched: Watched, revision: string): Promise<void> {
    const deadlineMs = Date.now() + CONFIRMED_WITHIN_MS;
    while (Date.now() < deadlineMs && !this.#isStopped) {
      const path = `/rollout?revision=${revision}`;
      const answer = await this.#platform.api.org('GET', path, undefined, AbortSignal.timeout(API_TIMEOUT_MS)).catch(() => null);
      if (answer?.status === 200 && answer.body['confirmedAt'] !== null) {
        this.confirmations += 1;
        for (const gateway of GATEWAYS) watched.confirmed[gateway] ??= Date.now();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** A grant on the server `toggled`, which nothing else needs: given when there is none, else withdrawn. */
  async #toggleGrant(): Promise<void> {
    const grants = await this.#grants();
    if (grants === null) return;
    if (grants.length > 0) for (const id of grants) await this.#api('DELETE', `/grants/${id}`, undefined, [204, 404]);
    else await this.#api('POST', '/grants', { subject: { kind: 'everyone' }, server: 'toggled', tools: { mode: 'all' } }, [201]);
  }

  /** As the API has them: one whose making was not answered may stand all the same. null: the API does not say. */
  async #grants(): Promise<string[] | null> {
    const { body, isAnswered } = await this.#api('GET', '/grants?limit=100', undefined, [200]);
    if (!isAnswered) return null;
    return (body['items'] as { id: string; server: string }[]).filter(({ server }) => server === 'toggled').map(({ id }) => id);
  }

  async #api(
    method: string,
    path: string,
    body: unknown,
    good: readonly number[],
  ): Promise<{ isAnswered: boolean; revision: string | null; body: Record<string, unknown> }> {
    const answer = await this.#platform.api.org(method, path, body, AbortSignal.timeout(API_TIMEOUT_MS)).catch(() => null);
    const isAnswered = answer !== null && good.includes(answer.status);
    if (method !== 'GET') this[isAnswered ? 'answered' : 'failed'] += 1;
    const revision = answer?.headers.get('patchbay-revision') ?? null;
    this.#revision = Math.max(this.#revision, Number(revision ?? 0));
    return { isAnswered, revision, body: answer?.body ?? {} };
  }

  async #missingAt(gateway: Gateway, isGranted: boolean): Promise<string[]> {
    const wrong: string[] = [];
    for (const { id, token } of this.#live)
      if ((await this.#ask(gateway, token)) !== 200) wrong.push(`${gateway} does not take the token ${id}, which was minted`);
    for (const { id, token } of this.revoked.slice(-LIVE_KEPT))
      if ((await this.#ask(gateway, token)) !== 401) wrong.push(`${gateway} does not refuse the token ${id}, which was revoked`);
    const granted = await this.#ask(gateway, this.#platform.facts.token, 'toggled');
    if (granted !== (isGranted ? 200 : 403)) wrong.push(`${gateway} has not the grant as it stands (${granted})`);
    const served = await revisionAt(this.#platform, gateway);
    if (served < this.#revision) wrong.push(`${gateway} serves revision ${served}, ${this.#revision} was answered`);
    return wrong;
  }

  /** Every gateway is asked about revoked tokens all the time: once it has refused one, it refuses it for ever. */
  async #tryRevoked(): Promise<void> {
    const newest = this.revoked.slice(-TRIED_PER_ROUND / 2);
    const older = Array.from({ length: TRIED_PER_ROUND / 2 }, () => this.revoked[Math.floor(Math.random() * this.revoked.length)]);
    const tried = [...new Set([...newest, ...older])].filter((token) => token !== undefined);
    await Promise.all(GATEWAYS.flatMap((gateway) => tried.map((token) => this.#tryOne(gateway, token))));
  }

  async #tryOne(gateway: Gateway, watched: Watched): Promise<void> {
    const askedAtMs = Date.now();
    const status = await this.#ask(gateway, watched.token);
    if (status === 401) watched.confirmed[gateway] ??= Date.now();
    if (status === 200) watched.accepted.push({ gateway, askedAtMs });
  }

  /** The HTTP status of a list by this token at this gateway itself; 0: no answer. */
  async #ask(gateway: Gateway, token: string, server?: string): Promise<number> {
    const url = this.#platform.endpoints(server)[GATEWAYS.indexOf(gateway)]!;
    const { body, headers } = modern('tools/list');
    const all = {
      ...headers,
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    return fetch(url, { method: 'POST', headers: all, body, signal: AbortSignal.timeout(ASK_TIMEOUT_MS) }).then(
      (answer) => answer.text().then(() => answer.status),
      () => 0,
    );
  }
}

async function revisionAt(platform: ScaledPlatform, gateway: Gateway): Promise<number> {
  const url = platform.adminUrls[GATEWAYS.indexOf(gateway)]!;
  const text = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) }).then(
    (answer) => answer.text(),
    () => '',
  );
  const organisation = platform.facts.org;
  return Number(new RegExp(`^patchbay_gateway_revision\\{organisation="${organisation}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
}
