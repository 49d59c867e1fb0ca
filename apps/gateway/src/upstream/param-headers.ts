import { paramAnnotations, paramHeaders, type ParamAnnotation, type ScannedMessage } from '@patchbay/mcp-wire';
import type { CompiledEntry, CompiledServer } from '../snapshot/compiled.ts';

const NONE: readonly ParamAnnotation[] = [];
/** A definition is read once: entries live as long as their snapshot. */
const known = new WeakMap<CompiledEntry, readonly ParamAnnotation[]>();

/** The `Mcp-Param-*` headers that a call of a modern server's tool needs, for a client whose revision does not send them. */
export function paramHeadersFor(
  server: CompiledServer,
  tool: string,
  { body, message }: { body: Buffer; message: ScannedMessage },
): Record<string, string> {
  const entry = server.catalogue?.tools.get(tool);
  if (entry === undefined || message.argumentsSpan === null) return {};
  const annotations = annotationsOf(entry);
  return annotations.length === 0 ? {} : paramHeaders(annotations, body.subarray(message.argumentsSpan.start, message.argumentsSpan.end));
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
