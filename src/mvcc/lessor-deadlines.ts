/** Something with two places in it for times, on the monotonic clock in ms. */
export interface Scheduled {
  /** False: it is to be forgotten. */
  readonly alive: boolean;
}

/**
 * What is due next, where due times move later far more often than they pass: a lease that is kept alive. So moving
 * later costs nothing here: an entry stands at an old, earlier time, and is put right when it comes up. Moving
 * earlier needs a fresh entry. A binary heap in two flat arrays.
 */
export class Deadlines<T extends Scheduled> {
  readonly #dueMs: (item: T) => number;
  readonly #times: number[] = [];
  readonly #items: T[] = [];

  /** `dueMs` answers when the item is due by now. */
  constructor(dueMs: (item: T) => number) {
    this.#dueMs = dueMs;
  }

  /** Entries, of which some may be of dead items. */
  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    const time = this.#dueMs(item);
    this.#times.push(time);
    this.#items.push(item);
    this.#rise(this.#items.length - 1, time, item);
  }

  /** When to look again: nothing is due before. Infinity: never. */
  nextMs(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  /** Takes out the next item that is due at `nowMs`. It is the caller's to add again. */
  take(nowMs: number): T | undefined {
    for (;;) {
      const item = this.#items[0];
      if (item === undefined || this.nextMs() > nowMs) return undefined;
      const due = item.alive ? this.#dueMs(item) : Number.POSITIVE_INFINITY;
      if (!item.alive || due <= nowMs) this.#removeFirst();
      else this.#sink(0, due, item);
      if (item.alive && due <= nowMs) return item;
    }
  }

  /** Forgets dead items, once they are the larger part. Called when one dies; `alive` is how many live. */
  prune(alive: number): void {
    if (this.#items.length < 1024 || this.#items.length < 2 * alive) return;
    const items = this.#items.splice(0).filter((item) => item.alive);
    this.#times.length = 0;
    for (const item of items) this.add(item);
  }

  #removeFirst(): void {
    const time = this.#times.pop();
    const item = this.#items.pop();
    if (time !== undefined && item !== undefined && this.#items.length > 0) this.#sink(0, time, item);
  }

  #rise(at: number, time: number, item: T): void {
    const times = this.#times;
    const items = this.#items;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const parentTime = times[parent] ?? 0;
      const parentItem = items[parent];
      if (parentTime <= time || parentItem === undefined) break;
      times[at] = parentTime;
      items[at] = parentItem;
      at = parent;
    }
    times[at] = time;
    items[at] = item;
  }

  #sink(at: number, time: number, item: T): void {
    const times = this.#times;
    const items = this.#items;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if ((times[child + 1] ?? Number.POSITIVE_INFINITY) < (times[child] ?? 0)) child += 1;
      const childTime = times[child] ?? 0;
      const childItem = items[child];
      if (childTime >= time || childItem === undefined) break;
      times[at] = childTime;
      items[at] = childItem;
      at = child;
    }
    times[at] = time;
    items[at] = item;
  }
}
