import { sliceMember } from '../json-slices.ts';
import { type ParamAnnotation, paramAnnotations, paramHeaders } from '../rev-2026-07-28/mcp-param.ts';
import type { ScannedMessage } from '../scanned-message.ts';

type Tool = { readonly name?: unknown; readonly inputSchema?: unknown };

const NO_ARGUMENTS = Buffer.from('{}');

/** Which arguments of which tool stand in headers too, as the lists that passed by have said. A channel's client does not send them. */
export class ToolHeaders {
  readonly #byTool = new Map<string, readonly ParamAnnotation[]>();

  /** Reads an answer to `tools/list`. The cursor of the next page; null when this was the last one. */
  learn(response: Buffer): string | null {
    const span = sliceMember(response, ['result']);
    const result = span === null ? {} : (JSON.parse(response.toString('utf8', span.start, span.end)) as ListResult);
    if (!Array.isArray(result.tools)) return null;
    for (const { name, inputSchema } of result.tools as Tool[]) {
      if (typeof name !== 'string') continue;
      const read = paramAnnotations(inputSchema);
      if (read.ok && read.annotations.length > 0) this.#byTool.set(name, read.annotations);
      else this.#byTool.delete(name);
    }
    return typeof result.nextCursor === 'string' ? result.nextCursor : null;
  }

  /** The `Mcp-Param-*` headers of a call. */
  of(message: ScannedMessage, bytes: Buffer): Record<string, string> {
    const annotations = message.method === 'tools/call' && message.name !== null ? this.#byTool.get(message.name) : undefined;
    if (annotations === undefined) return {};
    const span = message.argumentsSpan;
    return paramHeaders(annotations, span === null ? NO_ARGUMENTS : bytes.subarray(span.start, span.end));
  }
}

type ListResult = { readonly tools?: unknown; readonly nextCursor?: unknown };
