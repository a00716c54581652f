import type { Key } from './types.ts';

/*
 * A hash of a key's bytes, 32 bits with sign, the same from a Key and from bytes: FNV-1a, mixed so that low bits tell as
 * much as high ones.
 */

export function hashOfKey(key: Key): number {
  let hash = OFFSET;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), PRIME);
  return mixed(hash);
}

/** Of the key in `bytes`, from `from` up to `to`. */
export function hashOfBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = OFFSET;
  for (let i = from; i < to; i += 1) hash = Math.imul(hash ^ (bytes[i] ?? 0), PRIME);
  return mixed(hash);
}

const OFFSET = 0x811c9dc5 | 0;
const PRIME = 0x01000193;

function mixed(hash: number): number {
  const once = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return once ^ (once >>> 13);
}
