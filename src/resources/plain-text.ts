import { RESOURCE_LIMITS } from './limits.ts';

/** What steers terminals, has no glyph or turns the direction of text: a USB stick may call itself anything. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]+/gu;

/**
 * A name or number as firmware, a device or another member gives it, made fit to show: bytes that are no UTF-8 become
 * U+FFFD, what is unprintable a space, runs of spaces one, and it ends after `textCharsMax`. Undefined: nothing is left.
 */
export function plainText(raw: Uint8Array | string): string | undefined {
  // Cut before it is cleaned: what comes may be megabytes.
  const decoded =
    typeof raw === 'string'
      ? raw.slice(0, RESOURCE_LIMITS.textCharsMax * 4)
      : Buffer.from(raw.subarray(0, RESOURCE_LIMITS.textCharsMax * 4)).toString('utf8');
  // Nearly all is plain, and has no need of the large classes.
  const printable = /^[ -~\n]*$/.test(decoded) ? decoded : decoded.replace(UNPRINTABLE, ' ');
  const cleaned = printable.replace(/\s+/g, ' ').trim();
  const text = [...cleaned].slice(0, RESOURCE_LIMITS.textCharsMax).join('').trim();
  return text === '' ? undefined : text;
}

/** What vendors leave in firmware instead of an answer. */
const PLACEHOLDER =
  /^(to be filled by o\.?e\.?m\.?|default string|not (specified|available|applicable|present|provided)|none|n\/a|unknown|invalid|null|o\.?e\.?m\.?|system (product name|manufacturer|serial number|version|sku)|(chassis|base ?board) .*(number|version|name)|\.+|[0x-]+|0?123456789.*)$/i;

/** As plainText, and undefined for words that only hold the place of an answer. */
export function firmwareText(raw: Uint8Array | string): string | undefined {
  const text = plainText(raw);
  return text === undefined || PLACEHOLDER.test(text) ? undefined : text;
}

/** A whole number that is not negative and exact, decimal or 0x…; undefined for anything else, also for one too large. */
export function parseCount(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? '';
  if (!/^(\d{1,16}|0x[0-9a-f]{1,14})$/i.test(trimmed)) return undefined;
  const value = Number(trimmed);
  return Number.isSafeInteger(value) ? value : undefined;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Bytes of what the kernel writes with a unit, always binary: `32K`, `8192 KB`, `24684092 kB`, `2048kB`. */
export function parseKernelSize(text: string | undefined): number | undefined {
  const match = /^\s*(\d{1,16})\s*([kmg]?)(i?b)?\s*$/i.exec(text ?? '');
  if (match === null) return undefined;
  const bytes = Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `KEY=value` lines, as in a device's `uevent`. */
export function parseUevent(text: string | undefined): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of (text ?? '').split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1));
  }
  return fields;
}

/** `name:   123 kB` lines, as in /proc/meminfo, in bytes; plain numbers stay as they are. */
export function parseMeminfo(text: string | undefined): ReadonlyMap<string, number> {
  const fields = new Map<string, number>();
  for (const line of (text ?? '').split('\n')) {
    // A node's own file says `Node 0 MemTotal: …`.
    const match = /^(?:Node \d+ )?([\w()]+):\s+(.*)$/.exec(line);
    const value = parseKernelSize(match?.[2]);
    if (match?.[1] !== undefined && value !== undefined) fields.set(match[1], value);
  }
  return fields;
}
