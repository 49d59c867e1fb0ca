const LF = 0x0a;
const CR = 0x0d;

/** Cuts a byte stream at line feeds without copying what came before twice; false from `push` means a line was over the limit. */
export class LineSplitter {
  readonly #bytesMax: number;
  readonly #onLine: (line: Buffer) => void;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(bytesMax: number, onLine: (line: Buffer) => void) {
    this.#bytesMax = bytesMax;
    this.#onLine = onLine;
  }

  push(chunk: Buffer): boolean {
    let from = 0;
    for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, from)) {
      if (!this.#keep(chunk.subarray(from, at))) return false;
      from = at + 1;
      this.#emit();
    }
    return this.#keep(chunk.subarray(from));
  }

  /** What stands without a final line feed. */
  flush(): void {
    if (this.#pendingBytes > 0) this.#emit();
  }

  #keep(piece: Buffer): boolean {
    if (piece.length > 0) this.#pending.push(piece);
    this.#pendingBytes += piece.length;
    return this.#pendingBytes <= this.#bytesMax;
  }

  #emit(): void {
    const [first] = this.#pending;
    const line = this.#pending.length === 1 && first !== undefined ? first : Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    const end = line[line.length - 1] === CR ? line.length - 1 : line.length;
    if (end > 0) this.#onLine(line.subarray(0, end));
  }
}
