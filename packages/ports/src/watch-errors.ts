import type { Bus } from './bus.ts';

type Ports = { readonly bus: Bus };

/**
 * The same ports, each calling what `failureOf` gave for its name whenever one of its calls rejects; the rejection still reaches
 * the caller. What is not a port passes through as it is.
 */
export function watchErrors<P extends Ports>(ports: P, failureOf: (port: string) => () => void): P {
  const watched = Object.entries(ports).map(([name, member]: [string, unknown]) => [
    name,
    typeof member === 'object' && member !== null ? watch(member, failureOf(name)) : member,
  ]);
  return Object.fromEntries(watched) as P;
}

function watch<T extends object>(port: T, failed: () => void): T {
  return new Proxy(port, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(member, target, args);
        // Beside the caller's own handling, which still gets the rejection.
        if (answer instanceof Promise) answer.catch(failed);
        return answer;
      };
    },
  });
}
