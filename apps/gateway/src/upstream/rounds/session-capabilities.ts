import type { Sampling } from '@patchbay/contracts';
import { isObject } from '@patchbay/mcp-wire';
import type { ClientFacts } from '../../sessions/client-session.ts';
import { TASKS_EXTENSION } from '../asking/declared.ts';

type Json = Readonly<Record<string, unknown>>;

const ELICITATION_SINCE = '2025-06-18';
const URL_ELICITATION_SINCE = '2025-11-25';
const SAMPLING_TOOLS_SINCE = '2025-11-25';

/**
 * What a client with a session declared, for a server of revision 2026-07-28: what of it the client's own revision knows, and we can carry.
 * Never more than was declared (protocol.md trap 13).
 */
export function carriedCapabilities(
  { capabilities, protocolVersion }: Pick<ClientFacts, 'capabilities' | 'protocolVersion'>,
  mode: Sampling = 'relayed',
): Json {
  const declared = JSON.parse(capabilities) as Json;
  const carried: Record<string, Json> = {};
  const { elicitation, experimental, extensions, roots, sampling } = declared;
  if (isObject(elicitation) && protocolVersion >= ELICITATION_SINCE)
    carried['elicitation'] = protocolVersion >= URL_ELICITATION_SINCE ? elicitation : without(elicitation, 'url');
  if (isObject(sampling) && mode === 'relayed')
    carried['sampling'] = protocolVersion >= SAMPLING_TOOLS_SINCE ? sampling : without(sampling, 'tools');
  // That they changed could not be said.
  if (isObject(roots)) carried['roots'] = without(roots, 'listChanged');
  if (isObject(experimental)) carried['experimental'] = experimental;
  // The extension for tasks came after sessions: what it answers no client with a session understands.
  if (isObject(extensions)) carried['extensions'] = without(extensions, TASKS_EXTENSION);
  return carried;
}

function without(object: Json, name: string): Json {
  if (object[name] === undefined) return object;
  return Object.fromEntries(Object.entries(object).filter(([member]) => member !== name));
}
