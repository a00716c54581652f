import { Counter } from '../base/metrics.ts';
import type { RefusalCode } from './refused.ts';

/** Cells of the peers; who prints them asks for the gauges when it prints. */
export class PeerStats {
  /** Handshakes that ended without a link, by reason, whoever refused. */
  readonly refused = new Map<RefusalCode, Counter>();
  readonly linked = new Counter();
  /** Links that broke: no leave was taken. */
  readonly broken = new Counter();
  readonly hintsSent = new Counter();
  readonly hintsReceived = new Counter();
  readonly introductions = new Counter();
  /** Times that this process was stopped for longer than a heartbeat. */
  readonly pauses = new Counter();

  countRefusal(code: RefusalCode): void {
    const cell = this.refused.get(code) ?? new Counter();
    this.refused.set(code, cell);
    cell.value++;
  }
}
