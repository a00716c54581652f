const NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/;
/** More digits than any 64-bit integer has, however it is written. */
const DIGITS_MAX = 64;

/** The integer that a JSON number stands for, exactly: `5`, `5.0`, `5e3`, `500e-2`; undefined when it is none. */
export function parseInteger(text: string): bigint | undefined {
  const [, sign, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits === '') return 0n;
  const significant = digits.replace(/0+$/, '');
  const zeros = Number(exponent) - fraction.length + (digits.length - significant.length);
  if (zeros < 0 || significant.length + zeros > DIGITS_MAX) return undefined;
  return BigInt(`${sign}${significant}${'0'.repeat(zeros)}`);
}
