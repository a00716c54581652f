import { asLatin1, type Latin1Buffer } from '../../base/latin1-buffer.ts';

/*
 * Statements are written as bytes into memory that is kept, and each message is read out of it once:
 *
 *   START TRANSACTION;UPDATE head SET …;INSERT INTO log … VALUES (…),(…);COMMIT
 *                    └ ends[0]         └ ends[1]
 *
 * V8 maps and unmaps memory of its own for every string beyond 128 KiB. A large batch that was joined from strings made
 * several of those, and two small ones for each value.
 */

/** What is sent at once. */
export interface Message {
  /** The statements, a byte per character, with a semicolon between any two. */
  readonly text: string;
  /** Where in the text each statement ends. */
  readonly ends: readonly number[];
}

/** The statements of a message, one by one. */
export function statementsOf({ text, ends }: Message): string[] {
  let from = 0;
  return ends.map((end) => {
    const statement = text.slice(from, end);
    from = end + 1;
    return statement;
  });
}

/** Part of what the server takes is for the message's head. */
const PACKET_RESERVE_BYTES = 1024;
/** Longer INSERTs are cut: a server copies a statement more than once. */
const STATEMENT_BYTES_MAX = 2 * 2 ** 20;
/** Memory beyond this is given back. */
const KEPT_BYTES_MAX = 2 ** 20;

const QUOTE = 0x27;
const BACKSLASH = 0x5c;

/** Lent to one writer at a time. */
let kept = allocate(64 * 2 ** 10);

/** Writes statements down as few messages. One at a time, from its first statement to its messages without a pause. */
export class MessageWriter {
  readonly #messageBytesMax: number;
  readonly #statementBytesMax: number;
  #bytes = kept;
  /** How much of it is written. */
  #at = 0;
  /** Where each statement ends. A byte further the next one begins. */
  readonly #ends: number[] = [];

  /** `packetBytesMax`: the server's max_allowed_packet. */
  constructor(packetBytesMax: number) {
    this.#messageBytesMax = packetBytesMax - PACKET_RESERVE_BYTES;
    this.#statementBytesMax = Math.min(STATEMENT_BYTES_MAX, this.#messageBytesMax);
  }

  /** A whole statement. */
  statement(text: string): void {
    this.text(text);
    this.#end();
  }

  /**
   * Rows after the start of an INSERT, in as few statements as the length of each allows. `write` puts down what comes
   * before a row and the row; where a statement is cut it is asked once more.
   */
  insert<T>(start: string, rows: readonly T[], write: (before: string, row: T, i: number) => void): void {
    let from = this.#at;
    rows.forEach((row, i) => {
      const rowAt = this.#at;
      write(rowAt === from ? start : ',', row, i);
      if (rowAt === from || this.#at - from < this.#statementBytesMax) return;
      this.#at = rowAt;
      this.#end();
      from = this.#at;
      write(start, row, i);
    });
    if (rows.length > 0) this.#end();
  }

  /** Part of a statement. */
  text(text: string): void {
    this.#reserve(text.length);
    this.#at += this.#bytes.latin1Write(text, this.#at, text.length);
  }

  /** Part of a statement: what stands between the quotes of a literal of these bytes (literals.ts). */
  quoted(bytes: Uint8Array): void {
    const end = bytes.length;
    let from = 0;
    let quoteAt = find(bytes, QUOTE, 0);
    let backslashAt = find(bytes, BACKSLASH, 0);
    while (quoteAt < end || backslashAt < end) {
      const to = Math.min(quoteAt, backslashAt);
      this.#copy(bytes.subarray(from, to + 1));
      // It is copied once more, with what follows.
      from = to;
      if (to === quoteAt) quoteAt = find(bytes, QUOTE, to + 1);
      else backslashAt = find(bytes, BACKSLASH, to + 1);
    }
    this.#copy(from === 0 ? bytes : bytes.subarray(from));
  }

  /** What was written: as few messages as the server allows. */
  messages(): Message[] {
    const messages: Message[] = [];
    let from = 0;
    let ends: number[] = [];
    this.#ends.forEach((end, i) => {
      ends.push(end - from);
      const next = this.#ends[i + 1];
      if (next !== undefined && next - from < this.#messageBytesMax) return;
      messages.push({ text: this.#bytes.latin1Slice(from, end), ends });
      from = end + 1;
      ends = [];
    });
    return messages;
  }

  #end(): void {
    this.#ends.push(this.#at);
    this.text(';');
  }

  #copy(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = allocate(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    if (larger.length <= KEPT_BYTES_MAX) kept = larger;
  }
}

/** Where the byte is next; the end where it is not. A Buffer's search is ten times as fast as a Uint8Array's. */
function find(bytes: Uint8Array, byte: number, from: number): number {
  const at = Buffer.prototype.indexOf.call(bytes, byte, from);
  return at === -1 ? bytes.length : at;
}

function allocate(bytes: number): Latin1Buffer {
  return asLatin1(Buffer.allocUnsafeSlow(bytes));
}
