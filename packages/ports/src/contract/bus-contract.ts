import { expect, describe, onTestFinished, test, vi } from 'vitest';
import type { Bus } from '../bus.ts';
import type { Make } from './make.ts';

type Extra = {
  /** Cuts every connection of listeners, as a restart of the store would. */
  cutListeners(): Promise<void>;
};

/** What every bus promises. */
export function describeBusContract(name: string, make: Make<Bus>, { cutListeners }: Extra): void {
  async function listen(bus: Bus) {
    const messages: string[] = [];
    const heard = { messages, gaps: 0 };
    const subscription = await bus.subscribe('revisions', {
      onMessage: (message) => messages.push(message),
      onGap: () => (heard.gaps += 1),
    });
    onTestFinished(() => subscription.close());
    return heard;
  }

  describe(`bus on ${name}`, () => {
    test('a message reaches every subscriber in every program, in order', async () => {
      const { writer, reader } = await make();
      const heard = [await listen(writer), await listen(reader), await listen(reader)];
      const sent = Array.from({ length: 50 }, (_, k) => `message ${k} ${crypto.randomUUID()}`);
      for (const message of sent) await writer.publish('revisions', message);
      for (const { messages } of heard) await vi.waitFor(() => expect(messages.filter((message) => sent.includes(message))).toEqual(sent));
    });

    test('a gateway may publish too', async () => {
      const { writer, reader } = await make();
      const { messages } = await listen(writer);
      const message = crypto.randomUUID();
      await reader.publish('revisions', message);
      await vi.waitFor(() => expect(messages).toContain(message));
    });

    test('any text of up to 7,900 bytes arrives as it was sent, and a longer one is refused', async () => {
      const { writer, reader } = await make();
      const { messages } = await listen(reader);
      const message = `'"\\ü€😀\n${'x'.repeat(7_900 - Buffer.byteLength(`'"\\ü€😀\n`))}`;
      await writer.publish('revisions', message);
      await vi.waitFor(() => expect(messages).toContain(message));
      await expect(writer.publish('revisions', `${message}x`)).rejects.toThrow(/7900/);
    });

    test('a subscriber learns of a possible gap when it connects and after each lost connection, and hears again afterwards', async () => {
      const { writer, reader } = await make();
      const heard = await listen(reader);
      expect(heard.gaps).toBe(1);
      await cutListeners();
      await vi.waitFor(() => expect(heard.gaps).toBeGreaterThan(1), 5_000);
      const message = crypto.randomUUID();
      await vi.waitFor(async () => {
        await writer.publish('revisions', message);
        expect(heard.messages).toContain(message);
      }, 5_000);
    });

    test('it says whether messages arrive at present', async () => {
      const { reader } = await make();
      const heard = await listen(reader);
      expect(reader.isListening()).toBe(true);
      const seen: boolean[] = [];
      const watching = setInterval(() => seen.push(reader.isListening()), 1);
      onTestFinished(() => clearInterval(watching));
      await cutListeners();
      await vi.waitFor(() => expect(heard.gaps).toBeGreaterThan(1), 5_000);
      expect(seen).toContain(false);
      expect(reader.isListening()).toBe(true);
    });

    test('a second subscriber of one program is told to read once as well', async () => {
      const { reader } = await make();
      await listen(reader);
      expect((await listen(reader)).gaps).toBe(1);
    });

    test('what one subscriber throws does not keep the message from the others', async () => {
      const { writer, reader } = await make();
      const broken = await reader.subscribe('revisions', {
        onMessage: () => {
          throw new Error('a defect of this listener');
        },
        onGap: () => undefined,
      });
      onTestFinished(() => broken.close());
      const { messages } = await listen(reader);
      const message = crypto.randomUUID();
      await writer.publish('revisions', message);
      await vi.waitFor(() => expect(messages).toContain(message));
    });

    test('a subscriber hears its own topic and no other, also when it joins while the connection stands', async () => {
      const { writer, reader } = await make();
      const revisions = await listen(reader);
      const pods: string[] = [];
      let gaps = 0;
      const listener = { onMessage: (message: string) => pods.push(message), onGap: () => (gaps += 1) };
      const joined = await reader.subscribe('pods', listener);
      onTestFinished(() => joined.close());
      expect(gaps).toBe(1);
      const [forPods, forAll] = [crypto.randomUUID(), crypto.randomUUID()];
      await writer.publish('pods', forPods);
      await writer.publish('revisions', forAll);
      await vi.waitFor(() => expect(pods).toContain(forPods));
      await vi.waitFor(() => expect(revisions.messages).toContain(forAll));
      expect(pods).not.toContain(forAll);
      expect(revisions.messages).not.toContain(forPods);
    });

    test('a closed subscription hears nothing more', async () => {
      const { writer, reader } = await make();
      const messages: string[] = [];
      const subscription = await reader.subscribe('revisions', { onMessage: (message) => messages.push(message), onGap: () => undefined });
      const other = await listen(reader);
      await subscription.close();
      const message = crypto.randomUUID();
      await writer.publish('revisions', message);
      await vi.waitFor(() => expect(other.messages).toContain(message));
      expect(messages).not.toContain(message);
    });
  });
}
