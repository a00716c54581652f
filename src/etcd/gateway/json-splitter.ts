/**
 * Cuts a stream of bytes into JSON values that follow each other, without reading them: a value ends where its outermost
 * bracket does. Each byte is looked at once. What is no JSON is told by whoever reads the piece.
 */
export class JsonSplitter {
  readonly #bytesMax: number;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #depth = 0;
  #inString = false;
  #isEscaped = false;

  /** `bytesMax`: of one value. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes the next bytes; answers the values that are complete. undefined: one is too long. */
  push(chunk: Uint8Array): string[] | undefined {
    const complete: string[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#inString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) this.#inString = true;
      else if (byte === BRACE || byte === BRACKET) this.#depth++;
      else if (byte === BRACE_END || byte === BRACKET_END) {
        this.#depth--;
        if (this.#depth > 0) continue;
        this.#depth = 0;
        this.#keep(chunk.subarray(from, at + 1));
        from = at + 1;
        if (this.#bytes > this.#bytesMax) return undefined;
        complete.push(this.#take());
      }
    }
    this.#keep(chunk.subarray(from));
    return this.#bytes > this.#bytesMax ? undefined : complete;
  }

  /** What is left when no more comes: empty, or a value that is not complete. */
  rest(): string {
    return this.#take().trim();
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  #take(): string {
    const text = Buffer.concat(this.#pieces).toString('utf8');
    this.#pieces = [];
    this.#bytes = 0;
    return text;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
