/*
 * Values as SQL text. Everything goes as text because only so a whole append is one message: BEGIN, the compare-and-set,
 * the rows and COMMIT. That is safe for bytes under two conditions, which every connection checks when it is made:
 * character_set_client is `binary` (the server takes the text byte by byte), and sql_mode has no NO_BACKSLASH_ESCAPES.
 * Then the quote and the backslash are the only bytes of a literal that mean something (MySQL manual, String Literals).
 */

/** A binary string of bytes. */
export function bytesLiteral(bytes: Uint8Array): string {
  return keyLiteral(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'));
}

/** A binary string of a Key: a byte per character. */
export function keyLiteral(key: string): string {
  let text = key;
  // Most have neither: looking first costs a tenth of replacing.
  if (text.includes('\\')) text = text.replaceAll('\\', '\\\\');
  if (text.includes("'")) text = text.replaceAll("'", "''");
  return `_binary'${text}'`;
}

/** A binary string of a text in UTF-8. */
export function textLiteral(text: string): string {
  return bytesLiteral(Buffer.from(text, 'utf8'));
}

/** A list for IN: `(1,2,3)`. */
export function idList(ids: readonly (bigint | number)[]): string {
  return `(${ids.join(',')})`;
}

/** Now, by the server's clock, in microseconds since 1970: knows no time zone, and does not end in 2038. */
export const NOW_US = "TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(6))";
