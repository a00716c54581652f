import { setTimeout as sleep } from 'node:timers/promises';
import { hasMariadb } from '../../test/support/mariadb.ts';
import { hasPostgres } from '../../test/support/postgres.ts';
import { fill } from '../databases/fill.ts';
import type { MeasuredDatabase } from '../databases/measured-database.ts';
import { startMeasuredMariadb } from '../databases/measured-mariadb.ts';
import { startMeasuredPostgres } from '../databases/measured-postgres.ts';
import type { Finding } from '../finding.ts';
import { runToEnd } from '../load/measure.ts';
import { SteadyLoad } from '../load/steady-load.ts';
import { shapeOf } from '../load/workload.ts';
import { Peer } from '../peers/peer.ts';
import { onStore } from '../peers/programs.ts';
import { CompactOnce } from '../workloads/compact.ts';
import { PutWorkload } from '../workloads/put.ts';
import type { Section, SectionContext } from './section.ts';

/*
 * A store that has not been compacted for long, on a database: how long a replica takes to start on it, and what puts at
 * a steady rate feel while the superseded rows are swept. Once with one replica, once with two that both write (`--quick`:
 * only the former).
 */

const keys = 200_000;
/** Each key is written so often: all but the last are superseded. */
const rounds = 6;
const valueBytes = 256;
const putsPerSecond = 1000;
const putKeys = 1000;
const secondsBefore = 10;
const growthMax = 2;
const statementMsMax = 200;
const startSecondsMax = 10;
/** After the sweep puts go on for so long, and the servers clear away what they do by themselves. */
const secondsAfter = 15;
const MIB = 2 ** 20;

const engines = [
  { name: 'postgres', server: 'PostgreSQL', isThere: hasPostgres, start: startMeasuredPostgres },
  { name: 'mariadb', server: 'MariaDB', isThere: hasMariadb, start: startMeasuredMariadb },
] as const;

export const sharedCompactionSections: readonly Section[] = engines.map(({ name, server, isThere, start }) => ({
  name: `${name}-compaction`,
  summary: `1,200,000 rows in ${server}: start of a replica, puts during a compaction`,
  isLong: true,
  run: async (context) => {
    if (!isThere()) return [];
    for (const replicas of context.pace.isQuick ? [1] : [1, 2]) {
      const database = await start();
      try {
        await new Round(`${name}-compaction`, database, context, replicas).run();
      } finally {
        await database.dispose();
      }
    }
    return [];
  },
}));

class Round {
  readonly #section: string;
  readonly #database: MeasuredDatabase;
  readonly #context: SectionContext;
  readonly #replicas: number;
  readonly #peers: Peer[] = [];

  constructor(section: string, database: MeasuredDatabase, context: SectionContext, replicas: number) {
    this.#section = section;
    this.#database = database;
    this.#context = context;
    this.#replicas = replicas;
  }

  async run(): Promise<void> {
    const { url } = this.#database;
    this.#progress(`writing ${keys * rounds} rows`);
    try {
      const revision = await fill(url, keys, rounds, valueBytes);
      await this.#database.ageCommits();
      await this.#database.settle();
      await this.#database.forgetStatements();
      await this.#start();
      await this.#compact(revision);
    } finally {
      for (const peer of this.#peers) await peer.remove();
    }
  }

  async #start(): Promise<void> {
    for (let i = 1; i <= this.#replicas; i += 1) {
      this.#progress(`starting replica ${i}`);
      const startedAt = performance.now();
      const peer = await Peer.start(
        onStore(this.#context.kedge, this.#database.url, `replica-${i}`),
        this.#context.folder,
      );
      this.#peers.push(peer);
      if (i > 1) continue;
      const seconds = (performance.now() - startedAt) / 1000;
      const [longest] = await this.#database.longestStatements();
      this.#note(`a replica answers on ${keys * rounds} rows after`, seconds, 's', {
        bar: { text: `under ${startSecondsMax} s`, isCleared: seconds < startSecondsMax },
      });
      this.#note('its memory then', peer.residentMebibytes(), 'MiB');
      this.#note(`longest statement of the start (${longest?.text})`, longest?.ms ?? 0, 'ms', {
        bar: { text: `at most ${statementMsMax} ms`, isCleared: (longest?.ms ?? 0) <= statementMsMax },
      });
    }
  }

  async #compact(revision: number): Promise<void> {
    this.#progress('putting');
    const loads: SteadyLoad[] = [];
    for (const { port } of this.#peers) {
      const rate = putsPerSecond / this.#replicas;
      loads.push(await SteadyLoad.open(port, rate, new PutWorkload(putKeys, valueBytes)));
    }
    try {
      for (const load of loads) load.start();
      await sleep(2000);
      for (const load of loads) load.startMeasuring();
      await this.#orBroken(sleep(secondsBefore * 1000), loads);
      const before = loads.map((load) => load.latency.percentile(0.99));
      const sizeBefore = await this.#database.fileBytes();
      await this.#database.forgetStatements();

      this.#progress('putting and compacting');
      for (const load of loads) load.startMeasuring();
      const startedAt = performance.now();
      await this.#orBroken(runToEnd(this.#peers[0]?.port ?? 0, shapeOf(1), new CompactOnce(revision)), loads);
      const seconds = (performance.now() - startedAt) / 1000;
      const during = loads.map((load) => load.latency.percentile(0.99));
      const longestPut = Math.max(...loads.map(({ longestMs }) => longestMs));

      this.#progress('waiting for what the server clears away');
      const sizeAfter = await this.#database.fileBytes();
      const leftovers = await this.#database.leftovers();
      await this.#database.settle();
      for (const load of loads) load.startMeasuring();
      await this.#orBroken(sleep(secondsAfter * 1000), loads);
      const after = loads.map((load) => load.latency.percentile(0.99));
      const statements = await this.#database.longestStatements();
      for (const load of loads) load.stop();
      await Promise.all(loads.map(({ rest }) => rest));
      for (const load of loads) if (load.errors > 0) throw new Error(`puts while compacting: ${load.firstError}`);

      this.#tellPuts({ before, during, after, longestPut });
      this.#note('the sweep of 1,000,000 rows took', seconds, 's');
      this.#tellStatements(statements);
      this.#note('memory of a replica then', this.#peers[0]?.residentMebibytes() ?? 0, 'MiB');
      const against = { what: 'before', figure: sizeBefore / MIB };
      this.#note(`the files just after the sweep (${leftovers})`, sizeAfter / MIB, 'MiB', { against });
      const leftoversThen = await this.#database.leftovers();
      const sizeThen = await this.#database.fileBytes();
      this.#note(`${secondsAfter} s later (${leftoversThen})`, sizeThen / MIB, 'MiB', { against });
    } finally {
      for (const load of loads) load.close();
    }
  }

  /** The machine may not be the same all the while: the calm is the worse of before and after. */
  #tellPuts({ before, during, after, longestPut }: PutTimes): void {
    for (const [i, figure] of during.entries()) {
      const calm = Math.max(before[i] ?? 0, after[i] ?? 0);
      const which = this.#replicas === 1 ? '' : ` through replica ${i + 1}`;
      const times = `before ${before[i]?.toFixed(1)}, after ${after[i]?.toFixed(1)}; the worse of them`;
      this.#note(`p99 of ${putsPerSecond / this.#replicas} puts/s${which} while it sweeps`, figure, 'ms', {
        against: { what: times, figure: calm },
        bar: { text: `at most ${growthMax} times`, isCleared: figure <= calm * growthMax },
      });
    }
    this.#note('the longest put meanwhile', longestPut, 'ms');
  }

  /** VACUUM holds nobody up, and takes as long as it likes; the checkpoint is this measurement's. */
  #tellStatements(statements: Awaited<ReturnType<MeasuredDatabase['longestStatements']>>): void {
    const [longest] = statements.filter(({ text }) => !/^(VACUUM|ANALYZE|CHECKPOINT)/.test(text));
    this.#note(
      `the longest statement (${longest?.text ?? 'none was long enough to be noted'})`,
      longest?.ms ?? 0,
      'ms',
      {
        bar: { text: `at most ${statementMsMax} ms`, isCleared: (longest?.ms ?? 0) <= statementMsMax },
      },
    );
    for (const { ms, calls, text } of statements.filter((each) => each !== longest).slice(0, 3))
      this.#note(`then (${text}, ${calls} times)`, ms, 'ms');
  }

  #note(what: string, figure: number, unit: string, more: Partial<Finding> = {}): void {
    const prefix = this.#replicas === 1 ? '' : `${this.#replicas} replicas: `;
    this.#context.tell({ section: this.#section, what: prefix + what, figure, unit, ...more });
  }

  #progress(text: string): void {
    this.#context.progress(`${this.#section}, ${this.#replicas} replicas on ${this.#database.server}: ${text}`);
  }

  /** Waits, unless a load fails before. */
  async #orBroken<T>(promise: Promise<T>, loads: readonly SteadyLoad[]): Promise<void> {
    await Promise.race([promise, ...loads.map(({ rest }) => rest)]);
  }
}

/** By replica, the p99; and the longest of all. In milliseconds. */
interface PutTimes {
  readonly before: readonly number[];
  readonly during: readonly number[];
  readonly after: readonly number[];
  readonly longestPut: number;
}
