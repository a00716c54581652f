/** What a table shows. */
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A table as etcdctl draws it: headings in capitals and centred, cells to the right. */
export function textTable({ header, rows }: Table): string {
  const headings = header.map((heading) => heading.replaceAll('_', ' ').toUpperCase());
  const widths = headings.map((heading, i) => Math.max(...[heading, ...rows.map((row) => row[i] ?? '')].map(width)));
  const rule = `+${widths.map((columns) => '-'.repeat(columns + 2)).join('+')}+`;
  const line = (cells: readonly string[], align: (cell: string, columns: number) => string) =>
    `|${widths.map((columns, i) => ` ${align(cells[i] ?? '', columns)} `).join('|')}|`;
  return [rule, line(headings, centred), rule, ...rows.map((row) => line(row, toTheRight)), rule, ''].join('\n');
}

function width(text: string): number {
  return [...text].length;
}

function centred(text: string, columns: number): string {
  const gap = columns - width(text);
  return `${' '.repeat(Math.floor(gap / 2))}${text}${' '.repeat(Math.ceil(gap / 2))}`;
}

function toTheRight(text: string, columns: number): string {
  return `${' '.repeat(columns - width(text))}${text}`;
}
