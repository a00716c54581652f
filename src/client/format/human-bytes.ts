const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/** A size in powers of a thousand with two digits, as etcdctl shows it: `20 kB`, `1.5 GB`. */
export function humanBytes(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const value = Math.floor((bytes / 1000 ** power) * 10 + 0.5) / 10;
  if (value < 10) return `${value.toFixed(1)} ${UNITS[power]}`;
  // Go rounds halves to the even number.
  const rounded = value % 1 === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
  return `${rounded} ${UNITS[power]}`;
}
