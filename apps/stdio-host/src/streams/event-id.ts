/** Where in which stream of its session an event stands. */
export type EventPosition = { readonly stream: number; readonly sequence: number };

const FORM = /^(\d{1,9})-(\d{1,12})$/;

/** The `id:` of an event; tells nothing without its session. */
export function eventId({ sequence, stream }: EventPosition): string {
  return `${stream}-${sequence}`;
}

/** null: not of our form, so not of any of our streams. */
export function parseEventId(text: string): EventPosition | null {
  const [, stream, sequence] = FORM.exec(text) ?? [];
  return stream === undefined || sequence === undefined ? null : { stream: Number(stream), sequence: Number(sequence) };
}
