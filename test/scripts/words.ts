/** A command's words: positional ones, `name=value` options and flags. Bytes are strings with one unit per byte. */
export interface Words {
  readonly positional: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly flags: ReadonlySet<string>;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' };

/**
 * Splits at spaces. `"…"` keeps spaces and reads \xNN \n \r \t \" \\; a quoted word is always positional.
 * `name=value` is an option and a bare word a flag only if the names are listed: keys may look like anything.
 */
export function readWords(text: string, optionNames: readonly string[], flagNames: readonly string[]): Words {
  const positional: string[] = [];
  const options = new Map<string, string>();
  const flags = new Set<string>();
  for (const match of text.matchAll(/(?:([a-z_]+)=)?(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))/g)) {
    const [whole, option, quoted, bare] = match;
    const value = quoted === undefined ? (bare ?? '') : unquote(quoted);
    if (option !== undefined && optionNames.includes(option)) options.set(option, value);
    else if (quoted !== undefined) positional.push(value);
    else if (flagNames.includes(whole)) flags.add(whole);
    else positional.push(whole);
  }
  return { positional, options, flags };
}

function unquote(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|repeat\((.)\*(\d+)\)|(.))/g,
    (_, hex?: string, unit?: string, times?: string, letter?: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      if (unit !== undefined) return unit.repeat(Number(times));
      const known = escapes[letter ?? ''];
      if (known === undefined) throw new Error(`no escape \\${letter}`);
      return known;
    },
  );
}

export function toBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Bytes as a script shows them: plain when they can be, quoted otherwise; long values by length. */
export function showBytes(bytes: Uint8Array): string {
  if (bytes.length > 80) return `<${bytes.length} bytes>`;
  const text = Buffer.from(bytes).toString('latin1');
  if (/^[A-Za-z0-9_./:-]*$/.test(text)) return text;
  const quoted = text.replace(/[^ !#-[\]-~]/g, (unit) => `\\x${unit.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return `"${quoted}"`;
}
