import { Counter, exponentialBounds, Gauge, Histogram } from '../../base/metrics.ts';

/** What a shared engine counts, for metrics. */
export class DatabaseStats {
  /** 0: closed, as it should be; 1: half open, a call tries; 2: open, calls fail at once. */
  readonly breakerState = new Gauge();
  readonly breakerOpened = new Counter();
  /** Calls that wait for a connection. */
  readonly connectionsWaiting = new Gauge();
  readonly connectionsMade = new Counter();
  /** Attempts to connect that failed. */
  readonly connectFailures = new Counter();
  /** Connections that ended without being asked to. */
  readonly connectionsLost = new Counter();
  /** From 0.1 ms to 13 s. */
  readonly appendSeconds = new Histogram(exponentialBounds(0.0001, 2, 18));
  readonly readSeconds = new Histogram(exponentialBounds(0.0001, 2, 18));
  /** Appends that another replica's came before. */
  readonly appendsMoved = new Counter();
  /** Appends whose fate had to be looked up. */
  readonly appendsAmbiguous = new Counter();
  readonly hints = new Counter();
}
