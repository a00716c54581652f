const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** The text is not a number. The message is Go's, as etcdctl shows it. */
export class GoIntegerError extends Error {
  override readonly name = 'GoIntegerError';
}

/** Go's strconv.ParseInt of 64 bits. Throws GoIntegerError. */
export function parseInt64(text: string, base: 10 | 16): bigint {
  return parse('ParseInt', text, base, /^[+-]?/, INT64_MAX);
}

/** Go's strconv.ParseUint of 64 bits. Throws GoIntegerError. */
export function parseUint64(text: string, base: 10 | 16): bigint {
  return parse('ParseUint', text, base, /^/, UINT64_MAX);
}

/** A revision or limit of the user's as a number; what numbers cannot hold exactly is as good as the largest one. */
export function parseInt64Number(text: string): number {
  const value = Number(parseInt64(text, 10));
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

function parse(name: string, text: string, base: 10 | 16, sign: RegExp, max: bigint): bigint {
  const digits = text.replace(sign, '');
  if (!(base === 10 ? /^\d+$/ : /^[0-9a-fA-F]+$/).test(digits)) {
    throw new GoIntegerError(`strconv.${name}: parsing "${text}": invalid syntax`);
  }
  const magnitude = BigInt(base === 10 ? digits : `0x${digits}`);
  const negative = text.startsWith('-');
  if (magnitude > (negative ? max + 1n : max)) {
    throw new GoIntegerError(`strconv.${name}: parsing "${text}": value out of range`);
  }
  return negative ? -magnitude : magnitude;
}
