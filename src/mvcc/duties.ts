import { invariant } from '../base/invariant.ts';
import { silentLogger } from '../base/logger.ts';
import type { Duty, DutyRule, DutyState } from './duty.ts';
import { type DutyFence, MemoryDutyFence } from './duty-fence.ts';
import { type DutyContext, DutyRunner } from './duty-runner.ts';
import type { DutyStats } from './duty-stats.ts';
import { LogError, type SharedLog } from './log.ts';
import { replicaOf, type StoreOptions } from './store-options.ts';

/**
 * All that this replica may do for the others: its own (expiring leases, sweeping) and what other rooms add (checks,
 * backups). With a shared log the fence is a table of its database; a store of one process has the fence in memory,
 * where it is always alone.
 */
export class Duties {
  readonly stats: DutyStats;
  readonly #context: DutyContext;
  readonly #runners: DutyRunner[] = [];
  #rule: DutyRule | undefined;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #readMs = Number.NEGATIVE_INFINITY;

  /** `self`: this replica's name at the fence until a rule names it. */
  constructor(self: string, context: Omit<DutyContext, 'rule' | 'self'>) {
    this.stats = context.stats;
    this.#context = { ...context, rule: () => this.#rule, self: () => this.#rule?.self ?? self };
  }

  add(duty: Duty): void {
    const names = new Set(this.#runners.flatMap(({ duty: { parts } }) => parts));
    for (const part of duty.parts) invariant(!names.has(part), `two duties called ${part}`);
    const runner = new DutyRunner(duty, this.#context);
    this.#runners.push(runner);
    if (this.#state === 'running') void this.#begin([runner]);
  }

  /** Who is to run what, from now on. */
  useRule(rule: DutyRule): void {
    this.#rule = rule;
    this.changed();
  }

  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    void this.#begin(this.#runners);
  }

  /** Begins nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    await Promise.all(this.#runners.map((runner) => runner.stop()));
  }

  /** The rule may answer otherwise now. */
  changed(): void {
    if (this.#state === 'running') for (const runner of this.#runners) runner.look();
  }

  states(): readonly DutyState[] {
    return this.#runners.flatMap((runner) => runner.states());
  }

  /** Asks the fence how all stand, four times a second at most. Never rejects: what is known is older then. */
  async refresh(): Promise<void> {
    const { fence, clock, logger } = this.#context;
    if (this.#runners.length === 0 || clock.monotonicMs() - this.#readMs < READ_MS_MIN) return;
    this.#readMs = clock.monotonicMs();
    await this.#read(fence).catch((error: unknown) => {
      if (!(error instanceof LogError)) throw error;
      logger.debug('duties could not be read', { reason: error.message });
    });
  }

  async #read(fence: DutyFence): Promise<void> {
    const records = await fence.readDuties();
    for (const runner of this.#runners) runner.note(records);
  }

  /** With what the fence knows already: who has what since when. */
  async #begin(runners: readonly DutyRunner[]): Promise<void> {
    this.#readMs = Number.NEGATIVE_INFINITY;
    await this.refresh();
    if (this.#state === 'running') for (const runner of runners) runner.start();
  }
}

const READ_MS_MIN = 250;

/** The duties of a store. `shared`: its log, when others write to it too. */
export function dutiesOf(
  shared: SharedLog | undefined,
  options: StoreOptions,
  stats: DutyStats,
  own: readonly Duty[],
): Duties {
  const { clock, random, logger = silentLogger, replica = 'self' } = options;
  const self = shared === undefined ? replica : replicaOf(options);
  const duties = new Duties(self, { fence: shared ?? new MemoryDutyFence(clock), clock, random, logger, stats });
  for (const duty of own) duties.add(duty);
  return duties;
}
