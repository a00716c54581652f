/**
 * When a batch that stands on another replica's, which is on its way, is handed to the log before that is committed, so
 * that the log has it ready.
 *
 * Too soon it would be small: as many requests as last time are waited for, or the commit. In vain, because it overtook
 * the one below or that was never committed, it costs a turn: then the next ones are not sent early, and the more of
 * them the more often it happens.
 */
export class EarlySends {
  #usual = 1;
  #pause = 0;
  #nextPause = PAUSE_MIN;

  /** Whether a batch of so many requests may go before the one below is known to be committed. */
  allow(requests: number): boolean {
    return this.#pause === 0 && requests >= this.#usual;
  }

  /** A batch has been sent, early or not. */
  sent(requests: number): void {
    this.#usual = requests;
    this.#pause = Math.max(0, this.#pause - 1);
  }

  hit(): void {
    this.#nextPause = PAUSE_MIN;
  }

  missed(): void {
    this.#pause = this.#nextPause;
    this.#nextPause = Math.min(PAUSE_MAX, this.#nextPause * 2);
  }
}

/** In batches. */
const PAUSE_MIN = 4;
const PAUSE_MAX = 256;
