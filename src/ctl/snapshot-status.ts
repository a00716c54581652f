import { type Command, ExitCode } from '../base/command.ts';
import { choice, option } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import type { SnapshotStatus } from '../migrate/snapshot-status.ts';

const OPTIONS = {
  writeOut: option(choice('simple', 'json', 'table'), {
    flag: 'write-out',
    short: 'w',
    default: 'simple',
    group: 'Output',
    help: 'how it is written',
  }),
};

/** `kedge snapshot status <file>`: what a snapshot holds, etcd's or kedge's, after reading all of it. */
export function snapshotStatusCommand(print: (line: string) => void): Command<typeof OPTIONS> {
  return {
    name: 'snapshot status',
    summary: 'what a snapshot of etcd or kedge holds: hash, revision, keys, size',
    operands: [{ name: 'file', help: 'the snapshot', required: true }],
    options: OPTIONS,
    flagStyle: 'etcdctl',
    details: `The whole file is read, and its digest verified. For etcd's snapshots hash and counts are those of etcdutl 3.5; for
kedge's the hash is HashKV at the snapshot's revision, and the keys are those that live.`,
    async run({ options, operands }) {
      const [file, ...more] = operands;
      if (file === undefined || more.length > 0) throw new UsageError('snapshot status takes one file');
      const { snapshotStatus } = await import('../migrate/snapshot-status.ts');
      const status = await snapshotStatus(file);
      print(PRINTERS[options.writeOut](status));
      return ExitCode.ok;
    },
  };
}

const PRINTERS: Readonly<Record<'simple' | 'json' | 'table', (status: SnapshotStatus) => string>> = {
  simple: (status) => cells(status).join(', '),
  json: ({ hash, revision, totalKey, totalSize }) => JSON.stringify({ hash, revision, totalKey, totalSize }),
  table: (status) => table(['HASH', 'REVISION', 'TOTAL KEYS', 'TOTAL SIZE'], cells(status)),
};

function cells({ hash, revision, totalKey, totalSize }: SnapshotStatus): string[] {
  return [hash.toString(16), String(revision), String(totalKey), humanBytes(totalSize)];
}

/** As etcdutl's tables look: headings in the middle, numbers at the right. */
function table(headings: readonly string[], row: readonly string[]): string {
  const widths = headings.map((heading, i) => Math.max(heading.length, row[i]?.length ?? 0));
  const line = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const centred = headings.map((heading, i) => {
    const room = (widths[i] ?? 0) - heading.length;
    return `${' '.repeat(Math.floor(room / 2))}${heading}${' '.repeat(Math.ceil(room / 2))}`;
  });
  const right = row.map((cell, i) => cell.padStart(widths[i] ?? 0));
  return [line, `| ${centred.join(' | ')} |`, line, `| ${right.join(' | ')} |`, line].join('\n');
}

/** As etcdutl writes sizes: powers of 1000, one decimal below ten, halves to the even number. */
function humanBytes(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), 6);
  const value = Math.floor((bytes / 1000 ** power) * 10 + 0.5) / 10;
  const unit = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'][power] ?? 'B';
  if (value < 10) return `${value.toFixed(1)} ${unit}`;
  const isHalf = value % 1 === 0.5;
  return `${isHalf ? 2 * Math.round(value / 2) : Math.round(value)} ${unit}`;
}
