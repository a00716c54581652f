/**
 * The keys and values of the load: Kubernetes-like keys that differ in eight digits at their end, and values that do not
 * compress, the same for both servers.
 */
const digits = 8;
const prefix = Buffer.from('/registry/configmaps/default/object-', 'latin1');

/** A key with its digits zero; `writeDigits` makes it a particular one. */
export const keyTemplate: Buffer = Buffer.concat([prefix, Buffer.alloc(digits, '0')]);
/** Where in a key its digits begin. */
export const keyDigitsAt: number = prefix.length;
/** Where a prefix range over all keys begins and ends. */
export const rangeBegin: Buffer = prefix;
export const rangeEnd: Buffer = Buffer.concat([prefix.subarray(0, -1), Buffer.from([(prefix.at(-1) ?? 0) + 1])]);

/** The key of number `number`, 0 to 99,999,999. */
export function keyOf(number: number): Buffer {
  const key = Buffer.from(keyTemplate);
  writeDigits(key, keyDigitsAt, number);
  return key;
}

/** Writes a number as eight decimal digits. */
export function writeDigits(out: Buffer, at: number, number: number): void {
  for (let i = at + digits - 1; i >= at; i--) {
    const rest = (number / 10) | 0;
    out[i] = 0x30 + number - rest * 10;
    number = rest;
  }
}

/** Reads what `writeDigits` wrote. */
export function readDigits(bytes: Buffer, at: number): number {
  let number = 0;
  for (let i = at; i < at + digits; i++) number = number * 10 + (bytes[i] as number) - 0x30;
  return number;
}

/** A value of that many bytes; a fixed sequence (xorshift), so that both servers store the same. */
export function makeValue(bytes: number): Buffer {
  const value = Buffer.alloc(bytes);
  let state = 0x9e3779b9;
  for (let i = 0; i < bytes; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    value[i] = state;
  }
  return value;
}
