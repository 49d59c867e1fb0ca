import type { Refusal } from '@patchbay/errors';
import {
  checkParamHeaders,
  type HeaderBag,
  type ParamAnnotation,
  paramAnnotations,
  paramHeaders,
  type ScannedMessage,
} from '@patchbay/mcp-wire';
import type { CompiledEntry, CompiledServer } from '../snapshot/compiled.ts';

const NONE: readonly ParamAnnotation[] = [];
/** A definition is read once: entries live as long as their snapshot. */
const known = new WeakMap<CompiledEntry, readonly ParamAnnotation[]>();

type ToolCall = { readonly body: Buffer; readonly message: ScannedMessage; readonly server: CompiledServer; readonly tool: string };

/** The `Mcp-Param-*` headers that a call of a modern server's tool needs, for a client whose revision does not send them. */
export function paramHeadersFor(call: ToolCall): Record<string, string> {
  const annotations = annotationsFor(call);
  return annotations.length === 0 ? {} : paramHeaders(annotations, argumentsOf(call));
}

/** A modern client's `Mcp-Param-*` must say what its arguments say: whoever decides by headers decides on what is executed. */
export function checkParams(call: ToolCall, headers: HeaderBag): Refusal | null {
  const annotations = annotationsFor(call);
  return annotations.length === 0 ? null : checkParamHeaders(headers, annotations, argumentsOf(call));
}

const NO_ARGUMENTS = Buffer.from('{}');

function argumentsOf({ body, message }: ToolCall): Buffer {
  return message.argumentsSpan === null ? NO_ARGUMENTS : body.subarray(message.argumentsSpan.start, message.argumentsSpan.end);
}

function annotationsFor({ server, tool }: ToolCall): readonly ParamAnnotation[] {
  const entry = server.catalogue?.tools.get(tool);
  return entry === undefined ? NONE : annotationsOf(entry);
}

function annotationsOf(entry: CompiledEntry): readonly ParamAnnotation[] {
  let annotations = known.get(entry);
  if (annotations === undefined) {
    const definition = JSON.parse(entry.definition.toString('utf8')) as { inputSchema?: unknown };
    const read = paramAnnotations(definition.inputSchema);
    // A tool with broken annotations has no headers that anybody could agree on.
    annotations = read.ok ? read.annotations : NONE;
    known.set(entry, annotations);
  }
  return annotations;
}
