/*
 * Strings in quotes as Go writes and reads them (`%q`): etcdctl prints them in `-w fields` and in the variables of
 * `watch -- command`, and its txn grammar is made of them. Bytes that are no UTF-8 are `\xff`.
 * Source: https://pkg.go.dev/strconv#Quote and https://go.dev/ref/spec#String_literals
 */

const NAMED: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols, and of the spaces only the ASCII one. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** `"key\x00"`. A string is taken as its UTF-8. */
export function goQuote(value: string | Uint8Array): string {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  let quoted = '"';
  for (let at = 0; at < bytes.length; ) {
    const length = runeBytes(bytes, at);
    if (length === 0) {
      quoted += `\\x${hex(bytes[at] ?? 0, 2)}`;
      at++;
      continue;
    }
    quoted += quotedRune(Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString());
    at += length;
  }
  return `${quoted}"`;
}

function quotedRune(rune: string): string {
  const named = NAMED[rune];
  if (named !== undefined) return named;
  if (PRINTABLE.test(rune)) return rune;
  const code = rune.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** How many bytes the UTF-8 character at `at` has; 0: there is none. */
function runeBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length < 2 || at + length > bytes.length) return length < 2 ? length : 0;
  for (let i = 1; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] ?? 0;
  // Too long a form, a surrogate, or beyond U+10FFFF.
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f)) return 0;
  if ((first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f)) return 0;
  return length;
}

const ESCAPE = /^\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/;
const UNNAMED: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/** Reads a quoted string ("…" or `…`) at the start of `text`; undefined: there is none. */
export function goUnquote(text: string): { readonly value: Uint8Array; readonly rest: string } | undefined {
  if (text.startsWith('`')) {
    const end = text.indexOf('`', 1);
    return end < 0 ? undefined : { value: Buffer.from(text.slice(1, end)), rest: text.slice(end + 1) };
  }
  if (!text.startsWith('"')) return undefined;
  const parts: Buffer[] = [];
  for (let at = 1; at < text.length; ) {
    const rune = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (rune === '"') return { value: Buffer.concat(parts), rest: text.slice(at + 1) };
    if (rune !== '\\') {
      parts.push(Buffer.from(rune));
      at += rune.length;
      continue;
    }
    const found = ESCAPE.exec(text.slice(at, at + 10));
    if (found === null) return undefined;
    parts.push(unescaped(found));
    at += found[0].length;
  }
  return undefined;
}

function unescaped([, named, byte, short, long, octal]: RegExpExecArray): Buffer {
  if (named !== undefined) return Buffer.from(UNNAMED[named] ?? '');
  if (byte !== undefined) return Buffer.of(Number.parseInt(byte, 16));
  if (octal !== undefined) return Buffer.of(Number.parseInt(octal, 8));
  const code = Number.parseInt(short ?? long ?? '', 16);
  return Buffer.from(code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code));
}
