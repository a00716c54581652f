/** Milliseconds per unit, as Go's time.ParseDuration names them. */
const UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

const PART = /(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)/y;

/** Milliseconds of a Go-style duration (`10m`, `1h30m`, `1.5s`, `0`), or undefined when it is none. Never negative. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  let total = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const match = PART.exec(text);
    if (match === null) return undefined;
    total += Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
  }
  return text === '' ? undefined : total;
}

/** The shortest Go-style text of a duration: `1h30m`, `5s`, `0s`, `1.5ms`. */
export function formatDurationMs(ms: number): string {
  if (ms < 1000) return ms === 0 ? '0s' : `${trim(ms)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = (ms % 60_000) / 1000;
  return `${hours > 0 ? `${hours}h` : ''}${minutes > 0 ? `${minutes}m` : ''}${seconds > 0 ? `${trim(seconds)}s` : ''}`;
}

function trim(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
