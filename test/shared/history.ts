import type { Event } from '../support/messages.ts';

/*
 * Linearizability, by the witness that the store itself gives. etcd numbers its states: every answer tells the revision
 * that it belongs to. So a history is linearizable exactly when
 *
 *   1. replaying the log of all events gives, at the revision that an answer tells, what the answer says, and
 *   2. revisions respect time: what began after another call was answered tells no earlier revision, a write a later one.
 *
 * No search over orders is needed, and nothing is left unexplained: a call whose answer was lost has happened at most
 * once, and every event is somebody's.
 */

/** One call of one client. Times are of one clock, in milliseconds. */
export interface Call {
  readonly beganMs: number;
  readonly endedMs: number;
  readonly what: Put | Delete | Read | Cas;
  /** undefined: no answer, or one that leaves it open. */
  readonly answer: Answer | undefined;
}

/** Values are unique: each says who wrote it. */
export interface Put {
  readonly kind: 'put';
  readonly keys: readonly string[];
  readonly value: string;
}

export interface Delete {
  readonly kind: 'delete';
  readonly key: string;
}

export interface Read {
  readonly kind: 'read';
  /** The keys of a prefix; what was found stands in the answer. */
  readonly prefix: string;
}

/** Puts a value if the key's revision is as it was seen, else reads it, in one transaction. */
export interface Cas {
  readonly kind: 'cas';
  readonly key: string;
  readonly expectedRevision: number;
  readonly value: string;
}

export interface Answer {
  readonly revision: number;
  /** Of a Cas: whether it was put; of a Delete: whether something was deleted. */
  readonly done?: boolean;
  /** Of a Read, and of a Cas that was not done: key → value and revision. */
  readonly found?: ReadonlyMap<string, Found>;
}

export interface Found {
  readonly value: string;
  readonly revision: number;
}

/** Throws an Error that names the first call that no order explains. `events`: the whole log, from the first revision on. */
export function checkHistory(calls: readonly Call[], events: readonly Event[]): void {
  checkTimes(calls);
  const states = new States(events);
  const owners = new Map<string, number>();
  for (const call of calls) {
    if (call.answer !== undefined) states.check(call, call.answer);
    if (call.what.kind !== 'put' && call.what.kind !== 'cas') continue;
    const revision = states.revisionOf(call.what.value);
    if (revision !== undefined) owners.set(call.what.value, revision);
  }
  for (const value of states.values()) {
    if (!owners.has(value)) throw new Error(`the log has a value that nobody asked for: ${value}`);
  }
}

/** Rule 2. */
function checkTimes(calls: readonly Call[]): void {
  const byBegin = [...calls].sort((a, b) => a.beganMs - b.beganMs);
  const byEnd = calls.filter(({ answer }) => answer !== undefined).sort((a, b) => a.endedMs - b.endedMs);
  let newest = 0;
  let ended = 0;
  for (const call of byBegin) {
    for (; ended < byEnd.length; ended += 1) {
      const other = byEnd[ended];
      if (other === undefined || other.endedMs >= call.beganMs) break;
      newest = Math.max(newest, other.answer?.revision ?? 0);
    }
    const { answer } = call;
    if (answer === undefined) continue;
    const least = isWrite(call, answer) ? newest + 1 : newest;
    if (answer.revision < least) {
      throw new Error(`${show(call)} tells revision ${answer.revision}, but ${newest} was told before it began`);
    }
  }
}

function isWrite({ what }: Call, answer: Answer): boolean {
  return what.kind === 'put' || (what.kind !== 'read' && answer.done === true);
}

/** The states that a log goes through. */
class States {
  /** Per key, its versions in order; value undefined: deleted. */
  readonly #versions = new Map<string, { readonly revision: number; readonly value: string | undefined }[]>();
  /** Value → the revision that wrote it. */
  readonly #written = new Map<string, number>();
  readonly #keysAt = new Map<number, string[]>();

  constructor(events: readonly Event[]) {
    let newest = 1;
    for (const { type, kv } of events) {
      if (kv === null) throw new Error('an event without a key');
      const revision = Number(kv.mod_revision);
      if (revision !== newest && revision !== newest + 1) throw new Error(`revision ${revision} follows ${newest}`);
      newest = revision;
      const key = kv.key.toString('latin1');
      const value = type === 'DELETE' ? undefined : kv.value.toString('latin1');
      const versions = this.#versions.get(key) ?? [];
      this.#versions.set(key, versions);
      if (versions.at(-1)?.revision === revision) throw new Error(`${key} twice at revision ${revision}`);
      versions.push({ revision, value });
      this.#keysAt.set(revision, [...(this.#keysAt.get(revision) ?? []), key]);
      if (value === undefined) continue;
      const before = this.#written.get(value);
      if (before !== undefined && before !== revision)
        throw new Error(`${value} was written at ${before} and ${revision}`);
      this.#written.set(value, revision);
    }
  }

  values(): Iterable<string> {
    return this.#written.keys();
  }

  revisionOf(value: string): number | undefined {
    return this.#written.get(value);
  }

  at(key: string, revision: number): Found | undefined {
    const versions = this.#versions.get(key) ?? [];
    let found: Found | undefined;
    for (const version of versions) {
      if (version.revision > revision) break;
      found = version.value === undefined ? undefined : { value: version.value, revision: version.revision };
    }
    return found;
  }

  /** Rule 1. */
  check(call: Call, answer: Answer): void {
    const { what } = call;
    const { revision } = answer;
    switch (what.kind) {
      case 'put': {
        const keys = [...(this.#keysAt.get(revision) ?? [])].sort();
        if (this.#written.get(what.value) !== revision || keys.join() !== [...what.keys].sort().join()) {
          throw new Error(`${show(call)} is answered with revision ${revision}, where the log has ${keys.join()}`);
        }
        return;
      }
      case 'delete': {
        const before = this.at(what.key, answer.done === true ? revision - 1 : revision);
        const after = this.at(what.key, revision);
        if ((before !== undefined) !== (answer.done === true) || after !== undefined) {
          throw new Error(`${show(call)} at revision ${revision}: the log had ${before?.value}, then ${after?.value}`);
        }
        return;
      }
      case 'read': {
        const there = this.#inPrefix(what.prefix, revision);
        this.#same(call, answer, there);
        return;
      }
      case 'cas': {
        const before = this.at(what.key, answer.done === true ? revision - 1 : revision);
        const matched = (before?.revision ?? 0) === what.expectedRevision;
        if (matched !== (answer.done === true)) {
          throw new Error(
            `${show(call)} was ${answer.done === true ? 'done' : 'refused'}, the key stood at ${before?.revision}`,
          );
        }
        if (answer.done === true) {
          if (this.#written.get(what.value) !== revision)
            throw new Error(`${show(call)} is not in the log at ${revision}`);
        } else this.#same(call, answer, new Map(before === undefined ? [] : [[what.key, before]]));
      }
    }
  }

  #inPrefix(prefix: string, revision: number): Map<string, Found> {
    const found = new Map<string, Found>();
    for (const key of this.#versions.keys()) {
      const there = key.startsWith(prefix) ? this.at(key, revision) : undefined;
      if (there !== undefined) found.set(key, there);
    }
    return found;
  }

  #same(call: Call, answer: Answer, there: ReadonlyMap<string, Found>): void {
    const found = answer.found ?? new Map<string, Found>();
    for (const key of new Set([...found.keys(), ...there.keys()])) {
      const [a, b] = [found.get(key), there.get(key)];
      if (a?.value === b?.value && a?.revision === b?.revision) continue;
      const told = `${a?.value} of ${a?.revision}`;
      throw new Error(
        `${show(call)} at revision ${answer.revision}: ${key} is told as ${told}, the log has ${b?.value} of ${b?.revision}`,
      );
    }
  }
}

function show({ what, beganMs }: Call): string {
  return `${JSON.stringify(what)} (begun at ${beganMs.toFixed(1)} ms)`;
}
