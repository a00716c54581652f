import { formatDurationMs } from '../base/duration.ts';
import type { AddressReport, MemberReport, PeersReport } from './report.ts';

const ID_CHARS = 12;
const ID = /^[0-9a-f]{64}$/;

/** The report as a person reads it: who is there, who is not and why, what DNS says. */
export function formatReport(report: PeersReport, nowMs: number): string {
  const { self } = report;
  const head = [
    ['this member', `${self.name} (${self.id.slice(0, ID_CHARS)}), kedge ${self.version}, at ${self.listening}`],
    ['cluster', `${self.cluster}, trust by ${self.trust}`],
    [
      'members',
      `${report.linked} of ${report.wanted} linked, ${report.listed} addresses listed, view ${report.viewHash}`,
    ],
    ...report.dns.map((dns) => ['DNS', `${dns.name}: ${dnsText(dns)}`]),
  ];
  const parts = [
    head.map(([name = '', text = '']) => `${name.padEnd(12)} ${text}`).join('\n'),
    columns([
      ['ID', 'NAME', 'ADDRESS', 'FROM', 'STATE', 'SINCE', 'RTT', 'ABLE', 'DUTIES'],
      [
        self.id.slice(0, ID_CHARS),
        self.name,
        self.advertised[0] ?? self.listening,
        '-',
        'self',
        '-',
        '-',
        ableText(self.ability),
        dutiesText(self.duties),
      ],
      ...report.members.map((member) => memberRow(member, nowMs)),
    ]),
  ];
  const elsewhere = report.duties.filter(
    ({ holder, owner }) => holder !== undefined && owner !== undefined && owner !== holder,
  );
  if (elsewhere.length > 0) {
    const names = new Map([self, ...report.members].map(({ id, name }) => [id, name]));
    const who = (id = ''): string => names.get(id) ?? (ID.test(id) ? id.slice(0, ID_CHARS) : id);
    parts.push(
      columns([
        ['DUTY', 'LAST DONE BY', 'WHEN', 'THE RULE NAMES'],
        ...elsewhere.map(({ name, holder, ageMs = 0, owner }) => [
          name,
          who(holder),
          `${ageText(ageMs)} ago`,
          who(owner),
        ]),
      ]),
    );
  }
  const away = report.addresses.filter(({ state }) => state !== 'self');
  if (away.length > 0) {
    parts.push(
      columns([['NOT LINKED', 'FROM', 'STATE', 'SINCE', 'WHY'], ...away.map((row) => addressRow(row, nowMs))]),
    );
  }
  if (report.refusals.length > 0) {
    parts.push(
      columns([
        ['REFUSED', 'BY', 'TIMES', 'LAST', 'WHY'],
        ...report.refusals.map(({ remote, by, count, atMs, code, reason }) => [
          remote,
          by,
          String(count),
          `${ageText(nowMs - atMs)} ago`,
          `${code}: ${reason}`,
        ]),
      ]),
    );
  }
  return parts.join('\n\n');
}

function memberRow(member: MemberReport, nowMs: number): string[] {
  return [
    member.id.slice(0, ID_CHARS),
    member.name,
    member.address,
    member.sources.join(','),
    member.sitsOut ? 'linked, sits out' : 'linked',
    ageText(nowMs - member.sinceMs),
    member.roundTripMs === undefined ? '-' : `${member.roundTripMs.toFixed(1)}ms`,
    ableText(member.ability),
    member.hasSameStore ? dutiesText(member.duties) : 'other store',
  ];
}

function addressRow({ address, sources, state, atMs, code, reason }: AddressReport, nowMs: number): string[] {
  const since = atMs === undefined ? '-' : ageText(nowMs - atMs);
  return [address, sources.join(','), state, since, code === undefined ? '' : `${code}: ${reason}`];
}

function dnsText({ addresses, ageMs, failure }: PeersReport['dns'][number]): string {
  const last = ageMs === undefined ? 'no answer yet' : `${addresses} addresses ${ageText(ageMs)} ago`;
  return failure === '' ? last : `${last}; ${failure}`;
}

function ableText({ isAble, reason }: PeersReport['self']['ability']): string {
  return isAble ? 'yes' : `no: ${reason}`;
}

/** `expire 00-03,07, compact`: parts of the lease space are many and alike. */
function dutiesText(duties: readonly string[]): string {
  const parts = duties.filter((duty) => duty.startsWith('expire-')).map((duty) => Number(duty.slice('expire-'.length)));
  const ranges: string[] = [];
  for (const [i, part] of parts.entries()) {
    if (i > 0 && parts[i - 1] === part - 1) continue;
    let last = part;
    while (parts.includes(last + 1)) last++;
    ranges.push(last === part ? two(part) : `${two(part)}-${two(last)}`);
  }
  const expire = ranges.length === 0 ? [] : [`expire ${ranges.join(',')}`];
  const rest = duties.filter((duty) => !duty.startsWith('expire-'));
  return [...expire, ...rest].join(', ') || '-';
}

function two(part: number): string {
  return String(part).padStart(2, '0');
}

/** Whole seconds, or the two largest units' worth. */
function ageText(ms: number): string {
  const seconds = Math.max(Math.round(ms / 1000), 0);
  return formatDurationMs((seconds < 3600 ? seconds : Math.round(seconds / 60) * 60) * 1000);
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
