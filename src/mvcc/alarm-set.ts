import type { Log } from './log.ts';
import type { AlarmKind } from './types.ts';

/** The alarms that are raised, kept in the log. */
export class AlarmSet {
  readonly #log: Log;
  readonly #raised = new Set<AlarmKind>();

  constructor(log: Log) {
    this.#log = log;
  }

  restore(kinds: readonly AlarmKind[]): void {
    for (const kind of kinds) this.#raised.add(kind);
  }

  /** What a shared log says is raised now. */
  update(kinds: readonly AlarmKind[]): void {
    if (kinds.length === this.#raised.size && kinds.every((kind) => this.#raised.has(kind))) return;
    this.#raised.clear();
    this.restore(kinds);
  }

  has(kind: AlarmKind): boolean {
    return this.#raised.has(kind);
  }

  list(): readonly AlarmKind[] {
    return [...this.#raised];
  }

  /** Works from now on, even when the log cannot note it down. Rejects with LogError then. */
  async raise(kind: AlarmKind): Promise<void> {
    if (this.#raised.has(kind)) return;
    this.#raised.add(kind);
    await this.#log.alarm(kind, true);
  }

  /** False when it was not raised. Rejects with LogError, and the alarm stays. */
  async disarm(kind: AlarmKind): Promise<boolean> {
    if (!this.#raised.has(kind)) return false;
    await this.#log.alarm(kind, false);
    return this.#raised.delete(kind);
  }
}
