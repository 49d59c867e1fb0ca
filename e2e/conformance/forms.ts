import { startExtraGateways } from '../support/extra-gateways.ts';
import { Platform } from '../support/platform.ts';
import { callModern } from '../support/raw.ts';
import { GATEWAYS } from '../support/scaled/layout.ts';
import { ScaledPlatform } from '../support/scaled/platform.ts';
import type { TestPlatform } from '../support/test-platform.ts';
import { until } from '../support/until.ts';
import { type Shim, startShim } from './shim.ts';

/** How the gateway runs: how many pods, and on which stores. */
export const FORMS = ['1', '3', '3-redis'] as const;
export type Form = (typeof FORMS)[number];

/** A platform that runs in one of the forms, behind one URL that sends each request to a pod at random. */
export type RunningForm = {
  /** Registers a server; its endpoint for the suite once every pod serves it. */
  register(slug: string, url: string): Promise<string>;
  /** How many requests each pod was sent, by port. */
  readonly sent: Shim['sent'];
  readonly platform: TestPlatform;
  close(): Promise<void>;
};

export async function startForm(form: Form): Promise<RunningForm> {
  const { platform, ports, stop } = form === '3-redis' ? await scaled() : await embedded(form === '1' ? 0 : 2);
  const shim = await startShim({ ports, token: () => platform.facts.token });
  const path = (slug: string): string => new URL(platform.mcpUrl(slug)).pathname;
  const isServed = async (port: number, slug: string): Promise<boolean> => {
    const answer = await callModern(`http://127.0.0.1:${port}${path(slug)}`, platform.facts.token, 'tools/list');
    return answer.json.result !== undefined;
  };
  return {
    platform,
    sent: shim.sent,
    async register(slug, url) {
      await platform.register(slug, url);
      await Promise.all(ports.map((port) => until(() => isServed(port, slug), { what: `${slug} on port ${port}` })));
      return new URL(path(slug), shim.url).href;
    },
    async close() {
      await Promise.all([shim.close(), stop()]);
      await platform.dispose();
    },
  };
}

type Started = { readonly platform: TestPlatform; readonly ports: readonly number[]; stop(): Promise<void> };

async function embedded(more: number): Promise<Started> {
  const platform = await Platform.start();
  try {
    const extra = await startExtraGateways(platform, more);
    return { platform, ports: [platform.ports.gateway, ...extra.ports], stop: extra.stop };
  } catch (error) {
    await platform.dispose();
    throw error;
  }
}

async function scaled(): Promise<Started> {
  const platform = await ScaledPlatform.start();
  return { platform, ports: GATEWAYS.map((name) => platform.layout.ports[name]), stop: async () => undefined };
}
