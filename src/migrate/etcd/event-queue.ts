import type { WatchEvent } from './messages.ts';

/**
 * Events between a watch and whoever commits them: all that came while one commit was under way go into the next.
 * One adds, one takes. Who adds waits while more than `bytesMax` wait here.
 */
export class EventQueue {
  readonly #bytesMax: number;
  #events: WatchEvent[] = [];
  #bytes = 0;
  #ended = false;
  #wakeTaker: () => void = () => {};
  #wakeAdder: () => void = () => {};

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whole revisions. Resolves when there is room again, or at the end. */
  async add(events: readonly WatchEvent[]): Promise<void> {
    for (const event of events) {
      this.#events.push(event);
      this.#bytes += event.kv.key.length + event.kv.value.length;
    }
    this.#wakeTaker();
    while (this.#bytes > this.#bytesMax && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wakeAdder = resolve;
      });
    }
  }

  /** All there are, as soon as there are any; none at the end. */
  async take(): Promise<readonly WatchEvent[]> {
    while (this.#events.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wakeTaker = resolve;
      });
    }
    const events = this.#events;
    this.#events = [];
    this.#bytes = 0;
    this.#wakeAdder();
    return events;
  }

  /** Nothing more comes, or nobody takes any more. Idempotent. */
  end(): void {
    this.#ended = true;
    this.#wakeTaker();
    this.#wakeAdder();
  }
}
