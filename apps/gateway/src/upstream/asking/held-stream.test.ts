import type { OrganisationId } from '@patchbay/contracts';
import { refusal } from '@patchbay/errors';
import { encodeSseEvent, SseParser } from '@patchbay/mcp-wire';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Mailboxes, Posted } from '../../mailbox/mailboxes.ts';
import type { Exchange, Receiver } from '../exchange.ts';
import type { Relay } from '../relay.ts';
import { HeldStream } from './held-stream.ts';
import { HeldStreams } from './held-streams.ts';
import { RemoteStream } from './remote-stream.ts';

const ORGANISATION = 'o' as OrganisationId;
const LOST = refusal('upstream.call_lost');

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** All boxes of a fleet; a letter to a pod in `hanging` is posted and never read. */
function fleet(): { mailboxes: Pick<Mailboxes, 'open' | 'post'>; hanging: Set<string> } {
  const boxes = new Map<string, (letter: string) => void>();
  const hanging = new Set<string>();
  let count = 0;
  return {
    hanging,
    mailboxes: {
      async open(_organisationId, onLetter) {
        count += 1;
        const address = String(count);
        boxes.set(address, onLetter);
        return { address, fetch: async () => undefined, close: () => void boxes.delete(address) };
      },
      async post(_organisationId, address, letter): Promise<Posted> {
        const box = boxes.get(address);
        if (!hanging.has(address)) box?.(letter);
        return box === undefined ? 'absent' : 'posted';
      },
    },
  };
}

const event = (data: string): Buffer => encodeSseEvent({ event: 'message', data });

async function hold(): Promise<{ held: HeldStream; address: string; aborted: () => boolean } & ReturnType<typeof fleet>> {
  const { hanging, mailboxes } = fleet();
  let isAborted = false;
  const exchange = { endure: () => undefined, abort: () => void (isAborted = true) } as unknown as Exchange;
  const nobody = { head: () => undefined, data: () => undefined } as unknown as Receiver;
  const held = new HeldStream({ held: new HeldStreams(mailboxes), organisationId: ORGANISATION }, nobody);
  const address = await held.hold(exchange, new SseParser());
  return { held, address, hanging, mailboxes, aborted: () => isAborted };
}

/** A call that goes on with it; `read`: what its relay was told. */
function goOn(mailboxes: Pick<Mailboxes, 'open' | 'post'>, address: string): { remote: RemoteStream; read: string[] } {
  const read: string[] = [];
  const relay = {
    head: () => undefined,
    data: (chunk: Buffer) => void read.push(chunk.toString().split('data: ')[1]?.trim() ?? ''),
    end: () => void read.push('ended'),
    refuse: ({ code }: { code: string }) => void read.push(code),
  } as unknown as Relay;
  const input = { mailboxes, organisationId: ORGANISATION, address, relay, slug: 's', timeoutMs: 2_000, lost: LOST };
  const remote = new RemoteStream({ ...input, onLive: () => void read.push('live') });
  void remote.start();
  return { remote, read };
}

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(1);

it('brings what came meanwhile and what comes later, in order, once the call is there', async () => {
  const { address, held, mailboxes } = await hold();
  held.data(event('1'));
  const { read } = goOn(mailboxes, address);
  await settle();
  held.data(event('2'));
  held.end();
  await settle();
  expect(read).toEqual(['live', '1', '2', 'ended']);
});

it('keeps what a call that was asked again has not read for the next', async () => {
  const { address, held, mailboxes } = await hold();
  const first = goOn(mailboxes, address);
  await settle();
  held.data(event('1'));
  await settle();
  await first.remote.leave();
  held.data(event('2'));
  const second = goOn(mailboxes, address);
  await settle();
  expect([first.read, second.read]).toEqual([
    ['live', '1'],
    ['live', '2'],
  ]);
});

it('is lost to a second call while a first goes on with it', async () => {
  const { address, mailboxes } = await hold();
  const first = goOn(mailboxes, address);
  await settle();
  const second = goOn(mailboxes, address);
  await settle();
  expect([first.read, second.read]).toEqual([['live'], ['upstream.call_lost']]);
});

it('is lost when its pod does not answer, though its lease still stands', async () => {
  const { address, hanging, mailboxes } = await hold();
  hanging.add(address);
  const { read } = goOn(mailboxes, address);
  await vi.advanceTimersByTimeAsync(5_001);
  expect(read).toEqual(['upstream.call_lost']);
});

it('is let go of when the pod of its call has died, or nobody comes', async () => {
  const { aborted, address, mailboxes } = await hold();
  await mailboxes.post(ORGANISATION, address, JSON.stringify({ kind: 'attach', replyTo: 'gone' }));
  await vi.advanceTimersByTimeAsync(16_000);
  expect(aborted()).toBe(true);
  const forgotten = await hold();
  await vi.advanceTimersByTimeAsync(15 * 60_000 - 10);
  expect(forgotten.aborted()).toBe(false);
  await vi.advanceTimersByTimeAsync(20);
  expect(forgotten.aborted()).toBe(true);
});

const LARGE = event('x'.repeat(1024 * 1024));

it('brings a call that reads more than is ever kept', async () => {
  const { aborted, address, held, mailboxes } = await hold();
  const { read } = goOn(mailboxes, address);
  await settle();
  for (let n = 0; n < 40; n += 1) {
    held.data(LARGE);
    await settle();
  }
  expect([aborted(), read.length]).toEqual([false, 41]);
});

it('is let go of when it brings more than is kept to a call that does not read', async () => {
  const { aborted, address, hanging, held, mailboxes } = await hold();
  goOn(mailboxes, address);
  await settle();
  hanging.add('2');
  for (let n = 0; n < 16; n += 1) held.data(LARGE);
  expect(aborted()).toBe(false);
  held.data(LARGE);
  expect(aborted()).toBe(true);
});

it('counts what a call left unread when it was asked again', async () => {
  const { aborted, address, hanging, held, mailboxes } = await hold();
  const { remote } = goOn(mailboxes, address);
  await settle();
  hanging.add('2');
  for (let n = 0; n < 3; n += 1) held.data(LARGE);
  await settle();
  await remote.leave();
  held.data(LARGE);
  expect(aborted()).toBe(false);
  held.data(LARGE);
  expect(aborted()).toBe(true);
});

it('that was let go of before it had an address is found at none', async () => {
  const { mailboxes } = fleet();
  const slow = Promise.withResolvers<void>();
  const deps = {
    held: new HeldStreams({ ...mailboxes, open: (...args) => slow.promise.then(() => mailboxes.open(...args)) }),
    organisationId: ORGANISATION,
  };
  const exchange = { endure: () => undefined, abort: () => undefined } as unknown as Exchange;
  const held = new HeldStream(deps, {} as Receiver);
  const holding = held.hold(exchange, new SseParser());
  held.drop();
  slow.resolve();
  expect(await mailboxes.post(ORGANISATION, await holding, JSON.stringify({ kind: 'drop' }))).toBe('absent');
});

it('ends the call at its timeout, which the server extends by progress', async () => {
  const { address, mailboxes } = await hold();
  const { read, remote } = goOn(mailboxes, address);
  await vi.advanceTimersByTimeAsync(1_500);
  remote.extend();
  await vi.advanceTimersByTimeAsync(1_500);
  expect(read).toEqual(['live']);
  await vi.advanceTimersByTimeAsync(600);
  expect(read).toEqual(['live', 'upstream.timeout']);
});
