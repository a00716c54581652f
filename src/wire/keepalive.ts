import type { WireLimits } from './limits.ts';

/** Without a call under way a client has no reason to ping more often. */
const IDLE_MIN_TIME_MS = 7_200_000;
const STRIKES_MAX = 2;

/** What the keepalive asks the connection to do now. */
export type KeepaliveAction = 'none' | 'ping' | 'close';

/** Both sides of keepalive on one connection, as grpc-go's server does it: enforcement of the client's, and our own. */
export class Keepalive {
  readonly #limits: WireLimits;
  #strikes = 0;
  #lastPingMs = Number.NEGATIVE_INFINITY;
  /** When we asked; undefined: not waiting. */
  #askedMs: number | undefined = undefined;

  constructor(limits: WireLimits) {
    this.#limits = limits;
  }

  /** A PING of the client. False: too many. `sentSince`: we sent HEADERS or DATA since the last one. */
  onPing(nowMs: number, sentSince: boolean, activeStreams: number): boolean {
    const last = this.#lastPingMs;
    this.#lastPingMs = nowMs;
    if (sentSince) {
      this.#strikes = 0;
      return true;
    }
    const minMs = activeStreams > 0 ? this.#limits.keepaliveMinTimeMs : IDLE_MIN_TIME_MS;
    if (nowMs - last < minMs) this.#strikes++;
    return this.#strikes <= STRIKES_MAX;
  }

  /** From time to time; `readMs`: when anything last came from the peer. */
  check(nowMs: number, readMs: number): KeepaliveAction {
    if (this.#limits.keepaliveIntervalMs === 0) return 'none';
    if (this.#askedMs !== undefined) {
      if (readMs >= this.#askedMs) this.#askedMs = undefined;
      else return nowMs - this.#askedMs >= this.#limits.keepaliveTimeoutMs ? 'close' : 'none';
    }
    if (nowMs - readMs < this.#limits.keepaliveIntervalMs) return 'none';
    this.#askedMs = nowMs;
    return 'ping';
  }
}
