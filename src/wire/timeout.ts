const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;

/** `grpc-timeout` (at most eight digits and a unit) in milliseconds, fractional; undefined: malformed. */
export function parseTimeoutMs(text: string): number | undefined {
  const match = TIMEOUT.exec(text);
  if (match === null) return undefined;
  const [, digits = '', unit = ''] = match;
  return Number(digits) * (UNIT_MS[unit] ?? 0);
}
