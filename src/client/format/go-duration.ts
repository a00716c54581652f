const UNITS = [
  { unit: 's', ns: 1e9 },
  { unit: 'ms', ns: 1e6 },
  { unit: 'µs', ns: 1e3 },
] as const;

/** A duration of less than a minute in Go's spelling: `3.384736ms`. Source: https://pkg.go.dev/time#Duration.String */
export function goDuration(ms: number): string {
  const ns = Math.round(ms * 1e6);
  if (ns >= 60e9) return `${Math.floor(ns / 60e9)}m${(ns % 60e9) / 1e9}s`;
  for (const { unit, ns: perUnit } of UNITS) {
    if (ns >= perUnit) return `${Number((ns / perUnit).toFixed(9))}${unit}`;
  }
  return `${ns}ns`;
}
