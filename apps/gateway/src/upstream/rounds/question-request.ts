import { randomUUID } from 'node:crypto';
import { type Edit, sliceMember, splice } from '@patchbay/mcp-wire';
import { attributionEdits } from '../asking/attribution.ts';
import type { InputRequest } from './input-required.ts';

export type Wording = {
  readonly id: string;
  /** Said before the message of an elicitation where the endpoint does not say by itself which server asks; else null. */
  readonly attribution: string | null;
};

/** An input request of a modern server as a request of its own to a client with a session. */
export function questionRequest({ method, params }: InputRequest, { attribution, id }: Wording): Buffer {
  const worded = params !== null && method === 'elicitation/create' ? wordElicitation(params, attribution) : params;
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":${JSON.stringify(method)}`;
  return worded === null ? Buffer.from(`${head}}`) : Buffer.concat([Buffer.from(`${head},"params":`), worded, Buffer.from('}')]);
}

/** A page to be opened has an id in revisions with sessions; ours comes back to nobody, for nobody says when the page was completed. */
function wordElicitation(params: Buffer, attribution: string | null): Buffer {
  const edits: Edit[] = [];
  const mode = sliceMember(params, ['mode']);
  const isUrl = mode !== null && params.toString('utf8', mode.start, mode.end) === '"url"';
  if (isUrl && sliceMember(params, ['elicitationId']) === null)
    edits.push({ start: mode.end, end: mode.end, replacement: `,"elicitationId":"${randomUUID()}"` });
  if (attribution !== null) edits.push(...attributionEdits(params, ['message'], attribution));
  return splice(
    params,
    edits.toSorted((a, b) => a.start - b.start),
  );
}
