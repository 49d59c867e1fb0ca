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
  /** The balancer sends nothing to this pod any more. */
  remove(pod: number): void;
  close(): Promise<void>;
};

export async function startPods(spec: GatewaySpec, count = 3): Promise<Pods> {
  const [store, bus] = [memoryStore(), memoryBus()];
  const pods = await Promise.all(Array.from({ length: count }, () => startGateway({ ...spec, store, bus, pods: count })));
  const served: number[] = [];
  const standing = pods.map((_, index) => index);
  return {
    pods,
    store,
    served,
    fetch(input, init) {
      const { pathname } = new URL(input instanceof Request ? input.url : input);
      const pod = standing[served.length % standing.length] ?? 0;
      served.push(pod);
      const { origin } = new URL(pods[pod]?.url(null) ?? '');
      return fetch(`${origin}${pathname}`, init);
    },
    remove: (pod) => void standing.splice(standing.indexOf(pod), 1),
    async close() {
      await Promise.all(standing.map((index) => pods[index]?.close()));
    },
  };
}
