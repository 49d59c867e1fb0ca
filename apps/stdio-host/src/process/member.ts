import type { ScannedMessage } from '@patchbay/mcp-wire';
import type { EventKind } from '../streams/numbered-stream.ts';

/** A session as the server's process sees it. */
export type Member = {
  readonly id: string;
  /** Names of the capabilities that its client declared. */
  readonly capabilities: ReadonlySet<string>;
  /** For what belongs to none of its requests. */
  readonly pass: (message: Buffer, kind: EventKind) => void;
};

/** Which capability a client declares that takes a request; other requests are extensions, whose rules we do not know. */
const CAPABILITY_FOR: Readonly<Record<string, string>> = {
  'sampling/createMessage': 'sampling',
  'elicitation/create': 'elicitation',
  'roots/list': 'roots',
};

/** Whether its client said that it takes such requests of a server. */
export function takes({ capabilities }: Member, method: string): boolean {
  const needed = CAPABILITY_FOR[method];
  return needed === undefined || capabilities.has(needed);
}

/** What an `initialize` declares. */
export function declaredCapabilities(bytes: Buffer, { capabilitiesSpan }: ScannedMessage): ReadonlySet<string> {
  if (capabilitiesSpan === null) return new Set();
  const declared: unknown = JSON.parse(bytes.toString('utf8', capabilitiesSpan.start, capabilitiesSpan.end));
  return new Set(typeof declared === 'object' && declared !== null ? Object.keys(declared) : []);
}
