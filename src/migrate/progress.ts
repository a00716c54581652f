import type { Clock } from '../base/clock.ts';

/** How soon the first line of progress comes. The longer a step takes, the rarer they become: a tenth of its time. */
const EVERY_MS = 1000;
const SHARE_OF_TIME = 0.1;

/** Tells a person how far a long step is: a line when it begins to take long, then now and then, one at the end. */
export class Progress {
  /** Says nothing. */
  static readonly silent = new Progress({ wallMs: () => 0, monotonicMs: () => 0, after: neverAfter }, () => undefined);

  readonly #clock: Clock;
  readonly #print: (line: string) => void;
  #what = '';
  #total: number | undefined;
  #beganMs = 0;
  #toldMs = 0;

  constructor(clock: Clock, print: (line: string) => void) {
    this.#clock = clock;
    this.#print = print;
  }

  /** `total` when it is known. */
  begin(what: string, total?: number): void {
    this.#what = what;
    this.#total = total;
    this.#beganMs = this.#clock.monotonicMs();
    this.#toldMs = this.#beganMs;
  }

  note(done: number, total = this.#total): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#toldMs < Math.max(EVERY_MS, (nowMs - this.#beganMs) * SHARE_OF_TIME)) return;
    this.#toldMs = nowMs;
    const seconds = Math.max((nowMs - this.#beganMs) / 1000, 0.001);
    const share = total === undefined || total === 0 ? '' : ` (${Math.floor((done / total) * 100)} %)`;
    const of = total === undefined ? '' : ` of ${total}`;
    this.#print(`  ${this.#what}: ${done}${of}${share}, ${Math.round(done / seconds)}/s`);
  }

  end(result: string): void {
    const seconds = (this.#clock.monotonicMs() - this.#beganMs) / 1000;
    this.#print(`  ${this.#what}: done in ${seconds.toFixed(1)} s: ${result}`);
  }
}

function neverAfter(): { cancel(): void } {
  return { cancel: () => undefined };
}
