/**
 * `npm run bench`: how fast kedge is, against etcd on the same machine in the same run.
 *
 *      generator (this process)                       peers (processes of their own)
 *   ┌────────────────────────────┐   HTTP/2 frames   ┌───────┐  ┌──────┐
 *   │ workload ▸ Loop ▸ Connection│ ────────────────▶ │ kedge │  │ etcd │   fresh data, same disk
 *   └────────────────────────────┘                   └───────┘  └──────┘
 *                 │                                       │ /proc: CPU, memory
 *                 └──────────▶ rounds ▸ medians ▸ report ◀┘
 *
 * `http2` writes and reads frames by hand, so that the generator is never the limit (`--only generator` shows what it can
 * do). `etcd` holds the requests as templates and reads what must be checked in the answers. `workloads` choose what is
 * asked, `load` keeps a number of requests in flight and measures, `rounds` alternates between the peers, `sections` are
 * the measurements that are no table of rates. Every answer's status and content is checked: a wrong one is counted, shown
 * and makes the run fail. Nothing here shares code with the servers' own codecs.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { experiments } from './experiments.ts';
import type { Finding } from './finding.ts';
import { type Options, parseOptions } from './options.ts';
import { killAll } from './peers/peer.ts';
import { etcdProgram, kedgeProgram } from './peers/programs.ts';
import { findingLine, hasErrors, isRowCleared, rowLine, tableHead } from './report.ts';
import { type Pace, type Row, runExperiment } from './rounds.ts';
import { sections } from './sections/all.ts';

async function run(options: Options, folder: string): Promise<boolean> {
  const kedge = options.kedge === '' ? undefined : kedgeProgram(options.kedge);
  const etcd = options.etcd === '' ? undefined : etcdProgram(options.etcd);
  const programs = [kedge, etcd].filter((program) => program !== undefined);
  const pace: Pace = {
    rounds: options.rounds,
    secondsPerRound: options.seconds,
    isQuick: options.quick,
    inFlight: options.inFlight,
  };
  const rows: (Row & { readonly isCleared: boolean | undefined })[] = [];
  const findings: Finding[] = [];
  const isNamed = ({ name }: { readonly name: string }): boolean =>
    options.only.length === 0 || options.only.includes(name);

  console.log(machineLine(options));
  const wanted = experiments.filter((experiment) => isNamed(experiment) && !(options.quick && experiment.isLong));
  if (wanted.length > 0) console.log(tableHead());
  for (const experiment of wanted) {
    for (const row of await runExperiment(experiment, programs, folder, pace, progress)) {
      clearProgress();
      console.log(rowLine(row, experiment));
      rows.push({ ...row, isCleared: isRowCleared(row, experiment) });
    }
  }
  for (const section of sections.filter(isNamed)) {
    if (kedge === undefined) break;
    // Long ones run in a quick run too when they are asked for by name.
    if (options.quick && section.isLong && options.only.length === 0) continue;
    const tell = (finding: Finding): void => {
      clearProgress();
      console.log(findingLine(finding));
      findings.push(finding);
    };
    for (const finding of await section.run({ kedge, etcd, kine: options.kine, folder, pace, progress, tell }))
      tell(finding);
  }
  clearProgress();
  if (options.json !== undefined) {
    writeFileSync(
      options.json,
      `${JSON.stringify({ at: new Date(), machine: machineLine(options), rows, findings }, null, 2)}\n`,
    );
  }
  return !rows.some(hasErrors);
}

function machineLine(options: Options): string {
  const load = loadavg().map((figure) => figure.toFixed(1));
  return (
    `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), load ${load.join(' ')}, Node ${process.version}, ` +
    `data in ${options.folder}; ${options.rounds} rounds of ${options.seconds} s, medians\n`
  );
}

/** What is going on, on a line that the next output replaces; only for a person's terminal. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  const folder = mkdtempSync(join(options.folder, 'kedge-bench-'));
  process.on('exit', () => {
    killAll();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
  const isRight = await run(options, folder);
  if (!isRight) {
    console.error('\nSome answers were wrong: the figures of those rows mean nothing.');
    process.exitCode = 1;
  }
}

await main().catch((error: unknown) => {
  clearProgress();
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
