/**
 * How a sweep shares the disk with writes: in slices that are sized by how long they take, with a pause after each. When
 * the next compaction comes before this one is swept, slices of a log of our own may take twice as long.
 *
 * A slice of a shared log is a commit in a database, which takes a while however small it is: so it has some rows at
 * least, and may take longer. Its pause is longer as well, so that the database is swept for a fifth of the time; but
 * when the next compaction comes before this one is swept, that is too little.
 */
export class SweepPace {
  readonly #limits: SweepPaceLimits;
  readonly #isShared: boolean;
  #sliceRows: number;
  /** The horizon has moved since the sweep under way began. */
  isBehind = false;

  constructor(limits: SweepPaceLimits, isShared: boolean) {
    this.#limits = limits;
    this.#isShared = isShared;
    this.#sliceRows = this.#sliceRowsMin;
  }

  /** Of the next slice. */
  get sliceRows(): number {
    return this.#sliceRows;
  }

  get #sliceRowsMin(): number {
    const { sliceRowsMin, sharedSliceRowsMin, sliceRowsMax } = this.#limits;
    return Math.min(sliceRowsMax, this.#isShared ? sharedSliceRowsMin : sliceRowsMin);
  }

  /** A slice took so long. */
  took(sliceTookMs: number): void {
    const { sliceRowsMax } = this.#limits;
    const mostMs = this.#sliceMs;
    if (sliceTookMs > mostMs) this.#sliceRows = Math.max(this.#sliceRowsMin, this.#sliceRows >>> 1);
    else if (sliceTookMs < mostMs / 2) this.#sliceRows = Math.min(sliceRowsMax, this.#sliceRows * 2);
  }

  get #sliceMs(): number {
    const { sliceMs, sharedSliceMs } = this.#limits;
    if (this.#isShared) return sharedSliceMs;
    return this.isBehind ? sliceMs * BEHIND_TIMES : sliceMs;
  }

  /** How long to pause after it, while others write. */
  pauseMs(sliceTookMs: number): number {
    const { pausePerSlice, sharedPausePerSlice } = this.#limits;
    return Math.max(1, sliceTookMs * (this.#isShared && !this.isBehind ? sharedPausePerSlice : pausePerSlice));
  }
}

const BEHIND_TIMES = 2;

export interface SweepPaceLimits {
  readonly sliceRowsMin: number;
  readonly sliceRowsMax: number;
  /** Slices are made smaller when they take longer than this. */
  readonly sliceMs: number;
  /** The pause after a slice, as a multiple of what the slice took. */
  readonly pausePerSlice: number;
  /** The same with a shared log. */
  readonly sharedSliceRowsMin: number;
  readonly sharedSliceMs: number;
  readonly sharedPausePerSlice: number;
}
