/** The end of the read that is being taken apart: all that came in one chunk has been handed to the services then. */
export class ReadEnd {
  #works: (() => void)[] = [];
  #isReading = false;

  begin(): void {
    this.#isReading = true;
  }

  /** Outside of a read the work is done soon. */
  add(work: () => void): void {
    if (this.#isReading) this.#works.push(work);
    else queueMicrotask(work);
  }

  /** Does the work, whose answers leave with all that the read caused. */
  reached(): void {
    this.#isReading = false;
    if (this.#works.length === 0) return;
    const works = this.#works;
    this.#works = [];
    for (const work of works) work();
  }
}
