const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** `grpc-timeout` (at most eight digits and a unit) in milliseconds, fractional; undefined: malformed. */
export function parseTimeoutMs(text: string): number | undefined {
  const unitMs = UNIT_MS[text.charAt(text.length - 1)];
  const digits = text.length - 1;
  if (unitMs === undefined || digits < 1 || digits > 8) return undefined;
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value * unitMs;
}
