/** Sizes, times and columns for people. */

/** `23.5 GiB`, `512 MiB`, `1.8 TiB`: binary, one decimal where it says something. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Math.round(value * 10) / 10} ${units[unit]}`;
}

/** `5 s`, `12 min`, `4 h 12 min`, `3 d 4 h`. */
export function spanText(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes === 0) return `${Math.floor(seconds)} s`;
  if (hours === 0) return `${minutes} min`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `100 Mbit/s`, `2.5 Gbit/s` */
export function speedText(mbps: number): string {
  return mbps >= 1000 ? `${Math.round(mbps / 100) / 10} Gbit/s` : `${mbps} Mbit/s`;
}

/** `1 core`, `2 cores` */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Breaks at spaces; a word longer than the width stands alone. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}

/**
 * Rows below a head, columns as wide as they must be, two spaces between; the last one is wrapped. Columns that are
 * empty in every row are left out, head included.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | undefined)[])[],
  columns: number,
): readonly string[] {
  const used = head.map((_, i) => i).filter((i) => rows.some((row) => (row[i] ?? '') !== ''));
  const cells = [head, ...rows].map((row) => used.map((i) => row[i] ?? ''));
  const widths = used.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const indent = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  return cells.flatMap((row) => {
    const start = row.slice(0, -1).map((cell, i) => `${cell.padEnd(widths[i] ?? 0)}  `);
    const [first = '', ...more] = wrap(row.at(-1) ?? '', Math.max(columns - indent, 20));
    return [`${start.join('')}${first}`.trimEnd(), ...more.map((line) => `${' '.repeat(indent)}${line}`)];
  });
}
