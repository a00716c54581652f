/**
 * Reads one JSON value (RFC 8259) piece by piece, as whoever wants it asks for it: nothing is built that is not wanted,
 * and numbers stay text, for an int64 does not fit into a number. Texts of errors are those of Go's encoding/json.
 */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'true' | 'false' | 'null';

/** Deeper than any message goes: a transaction within a transaction takes four levels. */
const DEPTH_MAX = 200;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

export class JsonReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  /** The object or array was just opened: no comma comes before what is next. */
  #isFirst = false;
  #memberAt = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Where the next value begins, as protojson writes it in its errors. */
  get position(): string {
    this.#skipSpace();
    return this.#lineAndColumn(this.#at);
  }

  /** Where the name of the present member begins. */
  get memberPosition(): string {
    return this.#lineAndColumn(this.#memberAt);
  }

  /** Nothing but space is left. */
  get isAtEnd(): boolean {
    this.#skipSpace();
    return this.#at >= this.#text.length;
  }

  /** What the next value is, without reading it. */
  kind(): JsonKind {
    this.#skipSpace();
    const char = this.#text[this.#at];
    switch (char) {
      case '{':
        return 'object';
      case '[':
        return 'array';
      case '"':
        return 'string';
      case 't':
        return 'true';
      case 'f':
        return 'false';
      case 'n':
        return 'null';
      default:
        if (char === '-' || (char !== undefined && char >= '0' && char <= '9')) return 'number';
        throw this.#unexpected('looking for beginning of value');
    }
  }

  enterObject(): void {
    this.#enter('{');
  }

  /** The next member's name; undefined: the object is over. */
  member(): string | undefined {
    this.#skipSpace();
    if (this.#text[this.#at] === '}') return this.#leave();
    if (!this.#isFirst) this.#comma('after object key:value pair');
    this.#isFirst = false;
    if (this.#text[this.#at] !== '"') throw this.#unexpected('looking for beginning of object key string');
    this.#memberAt = this.#at;
    const name = this.string();
    this.#skipSpace();
    if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key');
    this.#at++;
    return name;
  }

  enterArray(): void {
    this.#enter('[');
  }

  /** Whether there is another item; false: the array is over. */
  item(): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] === ']') {
      this.#leave();
      return false;
    }
    if (!this.#isFirst) {
      this.#comma('after array element');
      if (this.#text[this.#at] === ']') throw this.#unexpected('looking for beginning of value');
    }
    this.#isFirst = false;
    return true;
  }

  string(): string {
    this.#skipSpace();
    this.#at++;
    let value = '';
    for (;;) {
      value += this.#plain();
      const char = this.#text[this.#at];
      if (char === '"') {
        this.#at++;
        return value;
      }
      if (char !== '\\') throw this.#unexpected('in string literal');
      this.#at++;
      value += this.#escape();
    }
  }

  /** Up to the next quote, backslash or control character. */
  #plain(): string {
    const from = this.#at;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22 || code === 0x5c || !(code >= 0x20)) return this.#text.slice(from, this.#at);
      this.#at++;
    }
  }

  #escape(): string {
    const char = this.#text[this.#at] ?? '';
    if (char === 'u') {
      this.#at++;
      let code = 0;
      for (let i = 0; i < 4; i++, this.#at++) {
        const digit = Number.parseInt(this.#text[this.#at] ?? '', 16);
        if (Number.isNaN(digit)) throw this.#unexpected('in \\u hexadecimal character escape');
        code = code * 16 + digit;
      }
      return String.fromCharCode(code);
    }
    const plain = ESCAPES[char];
    if (plain === undefined) throw this.#unexpected('in string escape code');
    this.#at++;
    return plain;
  }

  /** A number as it is written. */
  number(): string {
    this.#skipSpace();
    const text = this.#match(NUMBER);
    if (text === undefined) {
      this.#at++;
      throw this.#unexpected('in numeric literal');
    }
    return text;
  }

  /** true, false or null, as `kind` has said. */
  literal(word: 'true' | 'false' | 'null'): void {
    this.#skipSpace();
    for (const expected of word) {
      if (this.#text[this.#at] !== expected) throw this.#unexpected(`in literal ${word} (expecting '${expected}')`);
      this.#at++;
    }
  }

  /** Passes over the next value, whatever it is; answers how it begins, as far as an error may show it. */
  skip(): string {
    this.#skipSpace();
    const from = this.#at;
    const kind = this.kind();
    if (kind === 'object') {
      this.enterObject();
      while (this.member() !== undefined) this.skip();
    } else if (kind === 'array') {
      this.enterArray();
      while (this.item()) this.skip();
    } else if (kind === 'string') this.string();
    else if (kind === 'number') this.number();
    else this.literal(kind);
    return this.#text.slice(from, kind === 'object' || kind === 'array' ? from + 1 : Math.min(this.#at, from + 64));
  }

  #lineAndColumn(at: number): string {
    const before = this.#text.slice(0, at);
    return `line ${before.split('\n').length}:${at - before.lastIndexOf('\n')}`;
  }

  #enter(bracket: '{' | '['): void {
    this.#skipSpace();
    if (this.#text[this.#at] !== bracket) throw this.#unexpected('looking for beginning of value');
    if (++this.#depth > DEPTH_MAX) throw new JsonError('exceeded max depth');
    this.#at++;
    this.#isFirst = true;
  }

  #leave(): undefined {
    this.#at++;
    this.#depth--;
    this.#isFirst = false;
  }

  #comma(where: string): void {
    if (this.#text[this.#at] !== ',') throw this.#unexpected(where);
    this.#at++;
    this.#skipSpace();
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #unexpected(where: string): JsonError {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) return new JsonError('unexpected EOF');
    return new JsonError(`invalid character ${quoted(String.fromCodePoint(code))} ${where}`);
  }
}

function quoted(char: string): string {
  if (char === "'") return `'\\''`;
  if (char === '"') return `'"'`;
  const text = JSON.stringify(char);
  return `'${text.slice(1, -1)}'`;
}
