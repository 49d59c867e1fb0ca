import { isObject } from '@patchbay/mcp-wire';
import { createHash } from 'node:crypto';
import type { Sampling } from '@patchbay/contracts';
import { type Refusal, refusal } from '@patchbay/errors';
import type { ScannedMessage } from '@patchbay/mcp-wire';
import { LRUCache } from 'lru-cache';
import { capabilitiesTextFor } from '../sampling.ts';
import { canonicalJson } from './canonical-json.ts';

/** What a modern client declared with its request, as far as a session with a legacy server is opened with it. */
export type Declared = {
  /** JSON text for the `capabilities` of `initialize`; equal sets are one text. */
  readonly capabilities: string;
  /** null: log messages are not wanted. */
  readonly logLevel: string | null;
  /** Stands for both in names; empty when nothing was declared. */
  readonly digest: string;
};

/** For clients that declared nothing, or are of a revision whose sessions open without. */
export const NOTHING_DECLARED: Declared = { capabilities: '{}', logLevel: null, digest: '' };

/** Of a client's capabilities these mean the same to a legacy server, and what follows from them can be carried. */
const CARRIED = ['elicitation', 'experimental', 'extensions', 'roots', 'sampling'] as const;
/** How clients and servers say that they know tasks. It came after sessions: what a legacy server calls tasks is something else. */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';
/** What a client may set as the least that it wants to hear of. */
export const LOG_LEVELS: ReadonlySet<string> = new Set(['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']);
const KNOWN_MAX = 1_000;
const KNOWN_BYTES_MAX = 4_096;
const DIGEST_CHARACTERS = 22;

/** By the bytes that were sent: a client says the same with each request. */
const known = new LRUCache<string, Declared>({ max: KNOWN_MAX });

/** What the client declared, as far as its server may know; never more. A refusal for a log level that there is not. */
export function declaredBy(body: Buffer, { clientCapabilitiesSpan, logLevel }: ScannedMessage, sampling: Sampling): Declared | Refusal {
  if (logLevel !== null && !LOG_LEVELS.has(logLevel)) return refusal('rpc.params', 'params._meta.logLevel is not a log level.');
  const said = clientCapabilitiesSpan === null ? '{}' : body.toString('utf8', clientCapabilitiesSpan.start, clientCapabilitiesSpan.end);
  const text = capabilitiesTextFor(sampling, said);
  if (text === '{}' && logLevel === null) return NOTHING_DECLARED;
  const key = `${logLevel ?? ''} ${text}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const declared = declare(canonicalJson(carried(JSON.parse(text))), logLevel);
  if (text.length <= KNOWN_BYTES_MAX) known.set(key, declared);
  return declared;
}

function declare(capabilities: string, logLevel: string | null): Declared {
  if (capabilities === '{}' && logLevel === null) return NOTHING_DECLARED;
  const hash = createHash('sha256').update(`${logLevel ?? ''} ${capabilities}`);
  return { capabilities, logLevel, digest: hash.digest('base64url').slice(0, DIGEST_CHARACTERS) };
}

function carried(capabilities: unknown): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  if (!isObject(capabilities)) return kept;
  for (const name of CARRIED) {
    const value = capabilities[name];
    if (isObject(value)) kept[name] = carriedValue(name, value);
  }
  return kept;
}

function carriedValue(name: (typeof CARRIED)[number], value: Record<string, unknown>): unknown {
  // A client without sessions cannot say that its roots have changed.
  if (name === 'roots') return {};
  if (name !== 'extensions') return value;
  return Object.fromEntries(Object.entries(value).filter(([extension]) => extension !== TASKS_EXTENSION));
}

/** The capabilities that answering such a request needs and the client did not declare, in the form of error −32021; null: none. */
export function lackingFor(
  { capabilities }: Pick<Declared, 'capabilities'>,
  method: string,
  params: unknown,
): Record<string, unknown> | null {
  const has = JSON.parse(capabilities) as { elicitation?: Record<string, unknown>; roots?: object; sampling?: Record<string, unknown> };
  const members: Record<string, unknown> = isObject(params) ? params : {};
  switch (method) {
    case 'elicitation/create':
      if (members['mode'] === 'url') return has.elicitation?.['url'] === undefined ? { elicitation: { url: {} } } : null;
      // An empty object means forms.
      return has.elicitation !== undefined && (has.elicitation['form'] !== undefined || has.elicitation['url'] === undefined)
        ? null
        : { elicitation: { form: {} } };
    case 'sampling/createMessage':
      if (members['tools'] !== undefined && has.sampling?.['tools'] === undefined) return { sampling: { tools: {} } };
      return has.sampling === undefined ? { sampling: {} } : null;
    default:
      return has.roots === undefined ? { roots: {} } : null;
  }
}
