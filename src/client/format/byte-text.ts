/*
 * Keys and values are bytes, words of a command line are text. Bytes that are no UTF-8 (from "\xff" in a txn) travel
 * within text as halves of surrogate pairs, which no real text has: U+DC80 to U+DCFF, as Python does it (PEP 383).
 */

const ESCAPED = /[\udc80-\udcff]/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text that `bytesOfText` turns back into the same bytes. */
export function textOfBytes(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    // Not UTF-8: one by one, what is not ASCII escaped.
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join('');
  }
}

/** UTF-8, and the bytes that `textOfBytes` escaped. */
export function bytesOfText(text: string): Uint8Array {
  if (!ESCAPED.test(text)) return Buffer.from(text);
  // A whole pair matches as one character with the u flag, and is no escape.
  const parts = [...text].map((char) => {
    const code = char.codePointAt(0) ?? 0;
    return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(char);
  });
  return Buffer.concat(parts);
}
