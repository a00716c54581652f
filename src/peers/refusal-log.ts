import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { PEER_LIMITS } from './limits.ts';
import { RateGate } from './rate-gate.ts';
import { isHarmless, type RefusalCode, type Refused } from './refused.ts';
import type { RefusalReport } from './report.ts';
import type { PeerStats } from './stats.ts';

/**
 * Who was refused, and why: the latest for each address and reason, for `kedge peers`. The log gets a line when
 * something is new, not each time that somebody tries again, and not as many as a stranger with many addresses can make.
 */
export class RefusalLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stats: PeerStats;
  readonly #entries = new Map<string, RefusalReport>();
  readonly #lines: RateGate;

  constructor(clock: Clock, logger: Logger, stats: PeerStats) {
    this.#clock = clock;
    this.#logger = logger;
    this.#stats = stats;
    this.#lines = new RateGate({ clock, burst: PEER_LIMITS.refusalLinesBurst, perSecond: 1, namesMax: 1 });
  }

  note(remote: string, refused: Refused): void {
    const { code, by, message: reason } = refused;
    this.#stats.countRefusal(code);
    if (isHarmless(code)) return;
    // What cannot be dialled stands with its address already; it is no refusal.
    if (code === 'unreachable') {
      this.#logger.debug('peer not reached', { address: remote, reason });
      return;
    }
    const key = `${remote} ${code} ${by}`;
    const before = this.#entries.get(key);
    this.#entries.delete(key);
    this.#entries.set(key, { remote, code, reason, by, atMs: this.#clock.wallMs(), count: (before?.count ?? 0) + 1 });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > PEER_LIMITS.refusalsMax && oldest !== undefined) this.#entries.delete(oldest);
    if (before === undefined && this.#lines.admits('')) this.#say(remote, code, reason, by);
  }

  /** The latest first. */
  entries(): readonly RefusalReport[] {
    return [...this.#entries.values()].reverse();
  }

  /** That somebody is slow or leaving is what a cluster looks like; the rest somebody should look at. */
  #say(remote: string, code: RefusalCode, reason: string, by: 'us' | 'them'): void {
    const level = code === 'timeout' || code === 'draining' ? 'debug' : 'warn';
    this.#logger[level](by === 'us' ? 'peer refused' : 'peer refused us', { address: remote, code, reason });
  }
}
