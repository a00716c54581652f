import { bytesOfText } from './format/byte-text.ts';

/*
 * Ranges of keys as requests hold them: a first key and an end that is not part of it. No end: one key. The end `\0`:
 * all keys from the first on.
 */

export interface KeyRange {
  readonly key: Uint8Array;
  readonly range_end: Uint8Array;
}

const NO_END = new Uint8Array(0);
/** As an end: none. As a key: the smallest that there is. */
export const ZERO_KEY: Uint8Array = new Uint8Array([0]);

export function oneKey(key: string): KeyRange {
  return { key: bytesOfText(key), range_end: NO_END };
}

/** All keys that begin with `prefix`; with an empty one all that there are. */
export function prefixRange(prefix: string): KeyRange {
  if (prefix === '') return { key: ZERO_KEY, range_end: ZERO_KEY };
  const key = bytesOfText(prefix);
  return { key, range_end: prefixEnd(key) };
}

/** All keys from `first` on. */
export function fromKeyRange(first: string): KeyRange {
  return { key: first === '' ? ZERO_KEY : bytesOfText(first), range_end: ZERO_KEY };
}

/** The first key behind all that begin with `prefix`; `\0`, "no end", when there is none. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0;
    if (byte === 0xff) continue;
    // A copy: Buffer's slice would be a view of the prefix itself.
    const end = Uint8Array.from(prefix.subarray(0, i + 1));
    end[i] = byte + 1;
    return end;
  }
  return ZERO_KEY;
}
