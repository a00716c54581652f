import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleType,
} from 'cockatiel';
import type { Timer } from '../../base/clock.ts';
import { DatabaseAway } from './database-away.ts';
import type { DatabaseStats } from './database-stats.ts';
import type { EngineContext } from './engine-context.ts';

/*
 *             fails OPEN_AFTER times in a row, or once when the host is known to be gone
 *   closed ───────────────────────────────────▶ open: every call fails at once
 *      ▲                                          │ a pause, growing, of at most PAUSE_MS_MAX
 *      └──────────────── the probe succeeds ◀── half open: the probe tries
 *
 * While it is closed and the database is away, calls wait: for a connection, and no longer than the pool lets them. While
 * it is not, they fail at once: a probe may have to wait for a machine that is gone, and nobody else needs to.
 */

const OPEN_AFTER = 3;
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 5_000;

/** Spares requests the waiting when the database is known to be away, and the database the requests. */
export class Breaker {
  readonly #failures = new Failures(OPEN_AFTER);
  readonly #policy = circuitBreaker(handleType(DatabaseAway), {
    halfOpenAfter: new ExponentialBackoff({ initialDelay: PAUSE_MS_MIN, maxDelay: PAUSE_MS_MAX }),
    breaker: this.#failures,
  });
  readonly #context: EngineContext;
  readonly #probe: () => Promise<unknown>;
  #lastProblem = '';
  #timer: Timer | undefined;
  #isStopped = false;

  /** `probe` asks the database for something small. It is called while the breaker is open, so that it closes by itself. */
  constructor(context: EngineContext, stats: DatabaseStats, probe: () => Promise<unknown>) {
    this.#context = context;
    this.#probe = probe;
    this.#policy.onStateChange((state) => {
      stats.breakerState.value = state === CircuitState.Closed ? 0 : state === CircuitState.HalfOpen ? 1 : 2;
      if (state === CircuitState.Open) this.#scheduleProbe();
    });
    this.#policy.onBreak((reason) => {
      stats.breakerOpened.value += 1;
      this.#lastProblem = 'error' in reason ? reason.error.message : '';
      context.logger.warn('the database is away: requests fail until it is back', { problem: this.#lastProblem });
    });
    this.#policy.onReset(() => context.logger.info('the database is back'));
  }

  get isClosed(): boolean {
    return this.#policy.state === CircuitState.Closed;
  }

  /** Rejects with DatabaseAway at once when open, else with what the call rejects with. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (!this.isClosed) throw new DatabaseAway(this.#lastProblem);
    try {
      return await this.#policy.execute(call);
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
      // It opened meanwhile.
      throw new DatabaseAway(this.#lastProblem, 'unavailable', { cause: error });
    }
  }

  /** The host is gone without a word: the next failure is enough. */
  noteGone(): void {
    this.#failures.isEnough = true;
  }

  /** No more probes. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #scheduleProbe(): void {
    this.#timer?.cancel();
    if (this.#isStopped) return;
    const { clock, random } = this.#context;
    this.#timer = clock.after(PAUSE_MS_MIN * (1 + random()), () => void this.#tryProbe());
  }

  async #tryProbe(): Promise<void> {
    if (this.#isStopped || this.isClosed) return;
    try {
      await this.#policy.execute(this.#probe);
    } catch {
      // Still away, or its pause is not over. The next probe will tell.
    }
    if (!this.isClosed) this.#scheduleProbe();
  }
}

class Failures extends ConsecutiveBreaker {
  isEnough = false;

  override success(): void {
    this.isEnough = false;
    super.success();
  }

  override failure(): boolean {
    const opens = super.failure() || this.isEnough;
    this.isEnough = false;
    return opens;
  }
}
