import type { Event } from '../support/messages.ts';

/** What one worker's group of keys may hold: what was last acknowledged, and what was asked for since without an answer. */
export interface Group {
  readonly keys: readonly Buffer[];
  acknowledged: Version | undefined;
  /** Sent, not answered: each may have happened or not. */
  readonly unanswered: (string | undefined)[];
}

/** A value that all keys of a group were given by one transaction; undefined: all were deleted. */
export interface Version {
  readonly revision: number;
  readonly value: string | undefined;
}

/** Every event that a watch which outlives its server has seen. */
export class WatchJournal {
  readonly lines: string[] = [];
  /** The newest revision seen whole: a resumed watch starts behind it. */
  lastRevision = 0;
  private readonly seen = new Set<string>();

  take(events: readonly Event[]): void {
    for (const event of events) {
      const revision = Number(event.kv?.mod_revision);
      const key = event.kv?.key.toString('latin1') ?? '';
      const place = `${revision} ${key}`;
      if (this.seen.has(place)) throw new Error(`seen twice: ${place}`);
      if (revision < this.lastRevision) throw new Error(`${place} comes after ${this.lastRevision}`);
      this.seen.add(place);
      this.lastRevision = revision;
      this.lines.push(showEvent(event));
    }
  }
}

export function showEvent(event: Event): string {
  const kv = event.kv;
  return `${kv?.mod_revision} ${event.type} ${kv?.key.toString('latin1')}=${kv?.value.toString('latin1')} version ${kv?.version}`;
}
