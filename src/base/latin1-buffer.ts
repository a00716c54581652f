/**
 * Node's direct way between bytes and text of a byte per character, which its type declarations leave out. `write` and
 * `toString` end there, after a look at what encoding is meant.
 */
export interface Latin1Buffer extends Buffer {
  latin1Slice(from: number, to: number): string;
  /** Answers how many bytes were written. */
  latin1Write(text: string, at: number, length: number): number;
}

/** The same Buffer. */
export function asLatin1(buffer: Buffer): Latin1Buffer {
  return buffer as unknown as Latin1Buffer;
}
