import type { Histogram } from './histogram.ts';

/** Something that keeps a server busy and counts what comes of it. */
export interface Load {
  /** What ended while measuring: its count and how long each took. */
  readonly latency: Histogram;
  /** Answers that were an error or wrong, over the whole run, and what the first of them said. */
  readonly errors: number;
  readonly firstError: string;
  /** Resolves when nothing is in flight any more; rejects when a connection breaks or too much is wrong. */
  readonly rest: Promise<void>;
  start(): void;
  startMeasuring(): void;
  stopMeasuring(): void;
  /** Asks nothing more; `rest` resolves once the last answer is in. */
  stop(): void;
  close(): void;
}

/** The beginnings of a load: its outcome as a promise, its counts of what was wrong. */
export class Outcome {
  readonly rest: Promise<void>;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  errors = 0;
  firstError = '';

  constructor() {
    this.rest = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A failure before anyone waits is reported when somebody does.
    this.rest.catch(() => undefined);
  }

  done(): void {
    this.#resolve();
  }

  fail(error: Error): void {
    this.#reject(error);
  }

  /** Counts a wrong answer; more than `errorsMax` end the run, since nothing it measures counts anyway. */
  wrong(text: string): void {
    this.errors++;
    if (this.firstError === '') this.firstError = text;
    if (this.errors > errorsMax)
      this.fail(new Error(`more than ${errorsMax} wrong answers; the first: ${this.firstError}`));
  }
}

const errorsMax = 1000;
