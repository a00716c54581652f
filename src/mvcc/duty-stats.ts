import { Counter } from '../base/metrics.ts';

/** Cells of the duties of a store. A duty in parts counts each. */
export class DutyStats {
  /** Claims that the fence let through and whose work was done. */
  readonly runs = new Counter();
  /** Of these, such that another replica had claimed before. */
  readonly takeovers = new Counter();
  /** Claims that came too early, or second. */
  readonly denied = new Counter();
  /** Claims and runs that failed; they are tried again. */
  readonly failures = new Counter();
}
