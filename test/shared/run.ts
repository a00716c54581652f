import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { showEvent } from '../crash/journal.ts';
import { kedgeFile } from '../support/project.ts';
import type { Random } from '../support/random.ts';
import { pause } from './database.ts';
import type { Fleet } from './fleet.ts';
import { checkHistory } from './history.ts';
import { LiveWatch } from './live-watch.ts';
import { Load } from './load.ts';

/** Clients at a time. */
export const CLIENTS = 12;

/** One store that is written to and read through all of its replicas, from its first revision on, one fault after the other. */
export class Run {
  readonly fleet: Fleet;
  /** Every load's history begins where the last one's ended: all are checked together, against the whole log. */
  readonly #loads: Load[] = [];

  constructor(fleet: Fleet) {
    this.fleet = fleet;
  }

  /**
   * Lets `happen` happen under load. Insists that all goes on afterwards, that the history of every call so far is
   * linearizable, that each replica's watch told every event once and in order, and that all replicas hash to the same.
   */
  async through(random: Random, happen: (load: Load) => Promise<void>): Promise<Load> {
    const { fleet } = this;
    const load = new Load(fleet.endpoints, random, this.#loads.at(-1));
    this.#loads.push(load);
    const watches = await Promise.all(fleet.endpoints.map((endpoint) => LiveWatch.start(endpoint)));
    const running = load.run(CLIENTS);
    try {
      await happen(load);
      await fleet.healthy();
      await goesOn(load);
    } finally {
      load.stop();
      await running;
    }
    await fleet.quiet();
    const logs = await Promise.all(fleet.endpoints.map((_, i) => fleet.events(i)));
    const [log] = logs;
    if (log === undefined) throw new Error('no replicas');
    for (const other of logs) expect(other.map(showEvent)).toEqual(log.map(showEvent));
    checkHistory(
      this.#loads.flatMap(({ calls }) => calls),
      log,
    );
    const newest = Number(log.at(-1)?.kv?.mod_revision ?? 1);
    for (const watch of watches) await watch.check(log, newest);
    expect(new Set(await fleet.hashes()).size, 'replicas hash to the same').toBe(1);
    return load;
  }

  /** Insists that every replica has answered calls of every kind: else the histories prove less than they seem to. */
  expectAllAsked(): void {
    const answered = new Set(this.#loads.flatMap((load) => [...load.answeredKinds]));
    const all = this.fleet.endpoints.flatMap((endpoint) =>
      ['put', 'delete', 'cas', 'read'].map((kind) => `${kind} ${endpoint}`),
    );
    expect([...answered].sort()).toEqual(all.sort());
  }
}

/** Waits until some more calls are answered. */
export async function goesOn(load: Load): Promise<void> {
  const before = load.answered;
  for (let i = 0; load.answered < before + 50 && i < 600; i += 1) await pause(100);
  expect(load.answered, 'all go on after it').toBeGreaterThanOrEqual(before + 50);
}

/** `kedge check` of all replicas, as a user runs it: throws with what it printed when something is wrong. */
export async function kedgeCheck(endpoints: readonly string[]): Promise<string> {
  const urls = endpoints.map((endpoint) => `http://${endpoint}`).join(',');
  const args = [kedgeFile, 'check', '--quiet', '--endpoints', urls];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout;
}

/** Such as "14 UNAVAILABLE (…)": what the load was not answered, for people who read the output. */
export function showUnanswered(load: Load): string {
  return [...load.unanswered].map(([why, count]) => `${count} × ${why}`).join(', ') || 'none';
}
