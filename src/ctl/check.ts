import { type Command, ExitCode, type Invocation } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import { flag, list, option, text } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import type { CheckResult } from '../mvcc/checker.ts';
import type { KeyLine } from '../server/check-page.ts';
import type { CheckState } from '../server/store-checks.ts';
import { endpointUrl, KEDGE_HTTP_OPTIONS, KedgeHttp } from './kedge-http.ts';

const GROUP = 'What is checked';

const OPTIONS = {
  endpoints: option(list(text('url')), {
    flag: 'endpoints',
    default: ['http://127.0.0.1:2379'],
    group: GROUP,
    help: 'client URLs of all replicas of one store; each checks itself, then they are compared',
  }),
  json: option(flag, { flag: 'json', default: false, group: GROUP, help: 'the report as JSON' }),
  quiet: option(flag, { flag: 'quiet', default: false, group: GROUP, help: 'no progress' }),
  ...KEDGE_HTTP_OPTIONS,
};

const DIFFERENCES_MAX = 100;

/** What the world lends to the command. */
export interface CheckContext {
  readonly print: (line: string) => void;
  /** Progress: replaced by the next one where that is a terminal. */
  readonly progress: (line: string) => void;
}

/** `kedge check`: proves that replicas and database agree. Exit code 1 when they do not. */
export function checkCommand(context: CheckContext): Command<typeof OPTIONS> {
  return {
    name: 'check',
    summary: 'prove that a running store, its log and all of its replicas say the same',
    operands: [],
    options: OPTIONS,
    details: `Every replica reads its whole log once, at half speed, and holds it against its memory and its leases: no
revision missing, every version follows from the one before it, no row left that compaction should have taken. Then all
are compared at one revision, and what differs is named by key, revision and replica. Safe in production.

Examples:
  kedge check
  kedge check --endpoints http://10.0.0.1:2379,http://10.0.0.2:2379,http://10.0.0.3:2379
  kedge check --json | jq .findings
  kedge serve --check-interval 1h        the same by itself; metrics kedge_check_*`,
    run: (invocation) => check(invocation, context),
  };
}

/** What one replica found, or why it could not. */
interface ReplicaReport {
  readonly endpoint: string;
  readonly result: CheckResult | undefined;
  readonly error: string | undefined;
}

interface Difference {
  readonly key: string;
  /** Endpoint → the key's mod revision there; 0: it is not there. */
  readonly revisions: Readonly<Record<string, number>>;
}

async function check({ options }: Invocation<typeof OPTIONS>, context: CheckContext): Promise<number> {
  const endpoints = options.endpoints.map((endpoint) => endpointUrl(endpoint, '--endpoints'));
  if (endpoints.length === 0) throw new UsageError('--endpoints: at least one URL is needed');
  const http = new KedgeHttp(options);
  const progress = options.quiet ? () => {} : context.progress;
  const reports: ReplicaReport[] = [];
  let revision = 0;
  for (const endpoint of endpoints) {
    const report = await checkOne(http, endpoint, revision, progress);
    reports.push(report);
    revision ||= report.result?.revision ?? 0;
  }
  const results = reports.flatMap(({ result }) => (result === undefined ? [] : [result]));
  const same = new Set(results.map(({ hash }) => hash)).size <= 1;
  const differences = same ? [] : await compare(http, reports, revision, progress);
  progress('');
  const isWell = same && reports.every(({ result }) => result !== undefined && result.findingsTotal === 0);
  if (options.json) context.print(JSON.stringify({ ok: isWell, revision, replicas: reports, differences }, null, 2));
  else show(reports, differences, same, context.print);
  return isWell ? ExitCode.ok : ExitCode.failed;
}

async function checkOne(
  http: KedgeHttp,
  endpoint: string,
  revision: number,
  progress: (line: string) => void,
): Promise<ReplicaReport> {
  let state = await ask<CheckState>(http, endpoint, 'POST', `/check?revision=${revision}`);
  while (state.state === 'running') {
    const percent = Math.floor((100 * state.revision) / Math.max(1, state.until));
    progress(`${endpoint}  ${percent} %`);
    state = await ask<CheckState>(http, endpoint, 'GET', '/check?wait');
  }
  if (state.state === 'done') return { endpoint, result: state.result, error: undefined };
  return { endpoint, result: undefined, error: state.state === 'failed' ? state.error : 'the check did not begin' };
}

/** Two walks over all keys at once: what differs in revision or content. */
async function compare(
  http: KedgeHttp,
  reports: readonly ReplicaReport[],
  revision: number,
  progress: (line: string) => void,
): Promise<Difference[]> {
  const endpoints = reports.filter(({ result }) => result !== undefined).map(({ endpoint }) => endpoint);
  const walks = endpoints.map((endpoint) => walk(http, endpoint, revision));
  const heads = await Promise.all(walks.map((each) => each.next()));
  const differences: Difference[] = [];
  for (let seen = 1; differences.length < DIFFERENCES_MAX; seen += 1) {
    const lines = heads.map((head) => (head.done === true ? undefined : head.value));
    const keys = lines.flatMap((line) => (line === undefined ? [] : [line[0]]));
    const key = keys.sort()[0];
    if (key === undefined) break;
    if (seen % 10_000 === 0) progress(`comparing  ${seen} keys`);
    const here = lines.map((line) => (line?.[0] === key ? line : undefined));
    if (new Set(here.map((line) => `${line?.[1]} ${line?.[2]}`)).size > 1) {
      const revisions = Object.fromEntries(endpoints.map((endpoint, i) => [endpoint, here[i]?.[1] ?? 0]));
      differences.push({ key: Buffer.from(key, 'hex').toString('latin1'), revisions });
    }
    for (let i = 0; i < walks.length; i += 1) {
      const next = here[i] === undefined ? undefined : walks[i]?.next();
      if (next !== undefined) heads[i] = await next;
    }
  }
  return differences;
}

async function* walk(http: KedgeHttp, endpoint: string, revision: number): AsyncGenerator<KeyLine, undefined> {
  let after = '';
  for (;;) {
    const path = `/check/keys?revision=${revision}&after=${after}`;
    const page = await ask<{ readonly keys: readonly KeyLine[]; readonly more: boolean }>(http, endpoint, 'GET', path);
    yield* page.keys;
    if (!page.more) return undefined;
    after = page.keys.at(-1)?.[0] ?? after;
  }
}

async function ask<T>(http: KedgeHttp, endpoint: string, method: 'GET' | 'POST', path: string): Promise<T> {
  const { status, body } = await http.ask(endpoint, method, path);
  if (status === 404) throw new Failure(`${endpoint} is no kedge that can check itself (404)`);
  const answer = JSON.parse(body) as T & { readonly error?: string };
  if (status >= 300) throw new Failure(`${endpoint}: ${answer.error ?? `status ${status}`}`);
  return answer;
}

function show(
  reports: readonly ReplicaReport[],
  differences: readonly Difference[],
  same: boolean,
  print: (line: string) => void,
): void {
  const rows = reports.map(({ endpoint, result, error }) =>
    result === undefined
      ? [endpoint, error ?? '', '', '', '', '']
      : [
          endpoint,
          String(result.revision),
          // etcd answers -1, or 0.
          result.compactRevision > 0 ? String(result.compactRevision) : 'never',
          String(result.rows),
          String(result.keys),
          result.hash.toString(16).padStart(8, '0'),
          result.findingsTotal === 0 ? 'well' : `${result.findingsTotal} findings`,
        ],
  );
  const table = [['REPLICA', 'REVISION', 'COMPACTED', 'ROWS', 'KEYS', 'HASH', 'ITSELF'], ...rows];
  const widths = table[0]?.map((_, i) => Math.max(...table.map((row) => row[i]?.length ?? 0))) ?? [];
  for (const row of table)
    print(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  for (const { endpoint, result } of reports) {
    for (const { kind, revision, sub, key, detail } of result?.findings ?? []) {
      const where = key === '' ? '' : ` ${JSON.stringify(key)}`;
      print(`${endpoint}: ${kind} at revision ${revision}.${sub}${where}: ${detail}`);
    }
    const more = (result?.findingsTotal ?? 0) - (result?.findings.length ?? 0);
    if (more > 0) print(`${endpoint}: and ${more} more`);
  }
  for (const { key, revisions } of differences) {
    const told = Object.entries(revisions).map(
      ([endpoint, at]) => `${endpoint} ${at === 0 ? 'has it not' : `has ${at}`}`,
    );
    print(`differs: ${JSON.stringify(key)}: ${told.join(', ')}`);
  }
  if (!same && differences.length === 0) print('the replicas hash differently, in history that no key shows any more');
  if (same && reports.length > 1 && reports.every(({ result }) => result !== undefined))
    print('all replicas hold the same');
}
