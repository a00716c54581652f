/** The table a person reads: a line per row with both servers' figures, their ratio, and the bar where there is one. */
import type { Experiment } from './experiments.ts';
import type { Finding } from './finding.ts';
import type { Measured } from './load/measure.ts';
import type { Row } from './rounds.ts';

const columns: readonly (readonly [title: string, width: number])[] = [
  ['workload', -11],
  ['value', 6],
  ['in flight', 9],
  ['kedge/s', 9],
  ['etcd/s', 9],
  ['ratio', 7],
  ['bar', 5],
  ['', 1],
  ['p50 ms', 15],
  ['p99 ms', 15],
  ['CPU s/100k', 13],
  ['memory MiB', 11],
];

/** The table's head, with what its columns mean. */
export function tableHead(): string {
  return [
    'Pairs are kedge / etcd. "in flight" is requests in flight; for watch the number of watchers, and rates are events delivered;',
    'for list rates are pages of 500 keys.',
    '',
    line(columns.map(([title]) => title)),
    line(columns.map(([, width]) => '─'.repeat(Math.abs(width)))),
  ].join('\n');
}

/** A row as a line; below it what was wrong with the answers, if anything. */
export function rowLine(row: Row, experiment: Experiment): string {
  const { kedge, etcd } = row.peers;
  const ratio = kedge !== undefined && etcd !== undefined ? kedge.rate / etcd.rate : undefined;
  const bar = experiment.bar(row.inFlight);
  const isP99Above = bar?.isP99Judged === true && !isP99Cleared(row);
  const text = line([
    row.experiment,
    row.valueBytes > 0 ? sizeText(row.valueBytes) : '',
    count(row.inFlight),
    rateText(kedge),
    rateText(etcd),
    ratio === undefined ? '' : `${ratio.toFixed(2)}x`,
    bar === undefined ? '' : `${bar.rateRatioMin}x`,
    mark(isRowCleared(row, experiment)),
    pair(row, (run) => run.p50Milliseconds),
    pair(row, (run) => run.p99Milliseconds) + (isP99Above ? '!' : ''),
    pair(row, (run) => run.cpuSeconds),
    [kedge, etcd].map((run) => (run === undefined ? '-' : run.residentMebibytes.toFixed(0))).join(' / '),
  ]);
  const complaints = Object.entries(row.peers)
    .filter(([, run]) => run.errors > 0)
    .map(([name, run]) => `  ${name}: ${run.errors} wrong answers; the first: ${run.firstError}`);
  return [text, ...complaints].join('\n');
}

/** Whether the row's bar was cleared with right answers only; undefined where nothing is asked or a server is missing. */
export function isRowCleared(row: Row, experiment: Experiment): boolean | undefined {
  const { kedge, etcd } = row.peers;
  if (hasErrors(row)) return false;
  const bar = experiment.bar(row.inFlight);
  if (bar === undefined || kedge === undefined || etcd === undefined) return undefined;
  return kedge.rate >= etcd.rate * bar.rateRatioMin && (!bar.isP99Judged || isP99Cleared(row));
}

export function hasErrors(row: Row): boolean {
  return Object.values(row.peers).some((run) => run.errors > 0);
}

function isP99Cleared(row: Row): boolean {
  const { kedge, etcd } = row.peers;
  return kedge !== undefined && etcd !== undefined && kedge.p99Milliseconds <= etcd.p99Milliseconds;
}

/** A finding as a line. */
export function findingLine(finding: Finding): string {
  const against =
    finding.against === undefined
      ? ''
      : ` (${finding.against.what}: ${figure(finding.against.figure)} ${finding.unit})`;
  const bar = finding.bar === undefined ? '' : ` — ${finding.bar.text} ${mark(finding.bar.isCleared)}`;
  return `${finding.section.padEnd(11)} ${finding.what}: ${figure(finding.figure)} ${finding.unit}${against}${bar}`;
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, i) => {
      const width = columns[i]?.[1] ?? 0;
      return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
    })
    .join('  ')
    .trimEnd();
}

function pair(row: Row, of: (run: Measured) => number): string {
  return [row.peers['kedge'], row.peers['etcd']].map((run) => (run === undefined ? '-' : figure(of(run)))).join(' / ');
}

function rateText(run: Measured | undefined): string {
  return run === undefined ? '-' : count(run.rate);
}

function sizeText(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`;
}

function count(figure: number): string {
  return Math.round(figure).toLocaleString('en');
}

function figure(value: number): string {
  if (value >= 1000) return count(value);
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

function mark(isCleared: boolean | undefined): string {
  return isCleared === undefined ? '' : isCleared ? '✓' : '✗';
}
