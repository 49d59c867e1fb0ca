import { memoryBus, memoryStore } from '../../src/mailbox/memory-ports.fixture.ts';
import { type GatewaySpec, startGateway, type TestGateway } from './gateway.ts';

/** Gateways that share keys, store and bus, behind a balancer that gives each request to the next of them. */
export type Pods = {
  readonly pods: readonly TestGateway[];
  readonly store: ReturnType<typeof memoryStore>;
  /** `fetch` through the balancer; the URL is that of any pod. */
  readonly fetch: typeof fetch;
  /** Which pod answered each request, in order. */
  readonly served: number[];
  close(): Promise<void>;
};

export async function startPods(spec: GatewaySpec, count = 3): Promise<Pods> {
  const [store, bus] = [memoryStore(), memoryBus()];
  const pods = await Promise.all(Array.from({ length: count }, () => startGateway({ ...spec, store, bus })));
  const served: number[] = [];
  return {
    pods,
    store,
    served,
    fetch(input, init) {
      const { pathname } = new URL(input instanceof Request ? input.url : input);
      const pod = served.length % pods.length;
      served.push(pod);
      const { origin } = new URL(pods[pod]?.url(null) ?? '');
      return fetch(`${origin}${pathname}`, init);
    },
    async close() {
      await Promise.all(pods.map((pod) => pod.close()));
    },
  };
}
