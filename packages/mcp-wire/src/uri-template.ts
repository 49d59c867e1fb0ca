/** A run of text, or an expression: what it may begin with (empty: anything), and whether it goes on past the end of a path segment. */
type Piece = { readonly literal: string } | { readonly first: string; readonly crossesSegments: boolean };

/** A URI template (RFC 6570) read once. */
export type UriTemplate = { readonly pieces: readonly Piece[] };

/** Longer URIs and templates of more pieces match nothing: the time to match grows with both. */
const URI_LENGTH_MAX = 2_048;
const PIECES_MAX = 32;
const EXPRESSION = /\{([+#./;?&]?)[^{}]*\}/g;

/** Text with braces that are no expression is taken as it stands. */
export function readUriTemplate(template: string): UriTemplate {
  const pieces: Piece[] = [];
  let from = 0;
  for (const { 0: whole, 1: operator = '', index } of template.matchAll(EXPRESSION)) {
    if (index > from) pieces.push({ literal: template.slice(from, index) });
    pieces.push({ first: operator === '+' ? '' : operator, crossesSegments: '+#/?&'.includes(operator) && operator !== '' });
    from = index + whole.length;
  }
  if (from < template.length) pieces.push({ literal: template.slice(from) });
  return { pieces };
}

/**
 * Whether some values of its variables, nothing included, could have made this URI. Takes a bounded time whatever both hold: no
 * pattern of an upstream is ever compiled. It tells who may own a URI and decides nothing else.
 */
export function matchesTemplate({ pieces }: UriTemplate, uri: string): boolean {
  if (uri.length > URI_LENGTH_MAX || pieces.length > PIECES_MAX) return false;
  // 1 for each position up to which the pieces so far can reach.
  let reached = new Uint8Array(uri.length + 1);
  reached[0] = 1;
  for (const piece of pieces) {
    const next = new Uint8Array(uri.length + 1);
    if ('literal' in piece) passLiteral(piece.literal, uri, { reached, next });
    else passExpression(piece, uri, { reached, next });
    reached = next;
  }
  return reached[uri.length] === 1;
}

type Positions = { readonly reached: Uint8Array; readonly next: Uint8Array };

function passLiteral(literal: string, uri: string, { reached, next }: Positions): void {
  for (let at = uri.indexOf(literal); at >= 0; at = uri.indexOf(literal, at + 1)) if (reached[at] === 1) next[at + literal.length] = 1;
}

function passExpression(piece: { first: string; crossesSegments: boolean }, uri: string, { reached, next }: Positions): void {
  let isInside = false;
  for (let at = 0; at <= uri.length; at += 1) {
    if (isInside || reached[at] === 1) next[at] = 1;
    const takes: boolean = piece.crossesSegments || !'/?#'.includes(uri.charAt(at));
    const begins: boolean = reached[at] === 1 && (piece.first === '' ? takes : uri[at] === piece.first);
    isInside = begins || (isInside && takes);
  }
}
