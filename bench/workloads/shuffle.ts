/** Cheap numbers that look random (xorshift32), the same sequence in every run and for both servers. */
export class Shuffle {
  #state = 0x2545f491;

  /** A number from 0 to `limit` (exclusive). */
  below(limit: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % limit;
  }
}
