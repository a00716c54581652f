import type { Event, KeyValue } from '../support/messages.ts';

/*
 * Linearizability, by the witness that the store itself gives. etcd numbers its states: every answer tells the revision
 * that it belongs to. So a history is linearizable exactly when
 *
 *   1. replaying the log of all events gives, at the revision that an answer tells, what the answer says, and
 *   2. revisions respect time: what began after another call was answered tells no earlier revision, a write a later one.
 *
 * No search over orders is needed, and nothing is left unexplained: every revision is one call's; a call whose answer was
 * lost has happened at most once and not before it began; a compare that was refused has written nothing. Versions and
 * create revisions follow from the events before them.
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

/** From which revision the log went on to which: commits were lost (mvcc/leap.ts). */
export interface Leap {
  readonly from: number;
  readonly to: number;
}

/** Throws an Error that names the first call that no order explains. `events`: the whole log, from the first revision on. */
export function checkHistory(calls: readonly Call[], events: readonly Event[], leap?: Leap): void {
  const toldBefore = checkTimes(calls);
  const states = new States(events, leap);
  const owners = new Map<number, Call>();
  for (const call of calls) {
    const { what, answer } = call;
    if (answer !== undefined) states.check(call, answer);
    let revision = answer !== undefined && isWrite(call, answer) ? answer.revision : undefined;
    if (what.kind === 'put' || what.kind === 'cas') {
      const written = states.revisionOf(what.value);
      if (answer?.done === false && written !== undefined)
        throw new Error(`${show(call)} was refused, and written at ${written}`);
      revision ??= written;
    }
    if (revision === undefined) continue;
    const other = owners.get(revision);
    if (other !== undefined) throw new Error(`revision ${revision} was told to ${show(other)} and to ${show(call)}`);
    owners.set(revision, call);
    checkBegan(call, revision, toldBefore);
  }
  states.eachDeleteOfNobody(owners, (key, revisions) => {
    const unanswered = calls.filter(
      ({ what, answer }) => answer === undefined && what.kind === 'delete' && what.key === key,
    );
    checkDeletes(key, revisions, unanswered, toldBefore);
  });
  for (const revision of states.revisions()) {
    if (!owners.has(revision) && !states.isDelete(revision))
      throw new Error(`the log has a value that nobody asked for, at revision ${revision}`);
  }
}

/** What was not answered may have happened, but not before it was asked for. */
function checkBegan(call: Call, revision: number, toldBefore: ReadonlyMap<Call, number>): void {
  const newest = toldBefore.get(call) ?? 0;
  if (revision <= newest) {
    throw new Error(`${show(call)} was done at revision ${revision}, but ${newest} was told before it began`);
  }
}

/** Each delete that was told to nobody needs a call of its own, whose answer was lost and which began early enough. */
function checkDeletes(
  key: string,
  revisions: readonly number[],
  unanswered: readonly Call[],
  toldBefore: ReadonlyMap<Call, number>,
): void {
  const earliest = unanswered.map((call) => toldBefore.get(call) ?? 0).sort((a, b) => a - b);
  // The earliest delete by the call that may come first, and so on: if that does not fit, nothing does.
  revisions.forEach((revision, i) => {
    const newest = earliest[i];
    if (newest === undefined || newest >= revision)
      throw new Error(`the log deletes ${key} at revision ${revision}, and nobody asked for it`);
  });
}

/** Rule 2. Answers the newest revision that was told to anybody before each call began. */
function checkTimes(calls: readonly Call[]): ReadonlyMap<Call, number> {
  const byBegin = [...calls].sort((a, b) => a.beganMs - b.beganMs);
  const byEnd = calls.filter(({ answer }) => answer !== undefined).sort((a, b) => a.endedMs - b.endedMs);
  const toldBefore = new Map<Call, number>();
  let newest = 0;
  let ended = 0;
  for (const call of byBegin) {
    for (; ended < byEnd.length; ended += 1) {
      const other = byEnd[ended];
      if (other === undefined || other.endedMs >= call.beganMs) break;
      newest = Math.max(newest, other.answer?.revision ?? 0);
    }
    toldBefore.set(call, newest);
    const { answer } = call;
    if (answer === undefined) continue;
    const least = isWrite(call, answer) ? newest + 1 : newest;
    if (answer.revision < least) {
      throw new Error(`${show(call)} tells revision ${answer.revision}, but ${newest} was told before it began`);
    }
  }
  return toldBefore;
}

function isWrite({ what }: Call, answer: Answer): boolean {
  return what.kind === 'put' || (what.kind !== 'read' && answer.done === true);
}

interface KeyVersion {
  readonly revision: number;
  /** undefined: deleted. */
  readonly value: string | undefined;
  readonly createRevision: number;
  readonly version: number;
}

/** The states that a log goes through. */
class States {
  /** Per key, its versions in order. */
  readonly #versions = new Map<string, KeyVersion[]>();
  /** Value → the revision that wrote it. */
  readonly #written = new Map<string, number>();
  readonly #keysAt = new Map<number, string[]>();

  constructor(events: readonly Event[], leap: Leap | undefined) {
    let newest = 1;
    for (const event of events) {
      const { kv } = event;
      if (kv === null) throw new Error('an event without a key');
      const revision = Number(kv.mod_revision);
      const next = newest === leap?.from ? leap.to + 1 : newest + 1;
      if (revision !== newest && revision !== next) throw new Error(`revision ${revision} follows ${newest}`);
      newest = revision;
      const key = kv.key.toString('latin1');
      const versions = this.#versions.get(key) ?? [];
      this.#versions.set(key, versions);
      const version = versionOf(event, kv, versions.at(-1));
      versions.push(version);
      this.#keysAt.set(revision, [...(this.#keysAt.get(revision) ?? []), key]);
      const { value } = version;
      if (value === undefined) continue;
      const before = this.#written.get(value);
      if (before !== undefined && before !== revision)
        throw new Error(`${value} was written at ${before} and ${revision}`);
      this.#written.set(value, revision);
    }
  }

  revisions(): Iterable<number> {
    return this.#keysAt.keys();
  }

  revisionOf(value: string): number | undefined {
    return this.#written.get(value);
  }

  isDelete(revision: number): boolean {
    const [key = ''] = this.#keysAt.get(revision) ?? [];
    return this.#versions.get(key)?.find((each) => each.revision === revision)?.value === undefined;
  }

  /** Keys with the revisions at which they were deleted, in order, without those that have an owner. */
  eachDeleteOfNobody(
    owners: ReadonlyMap<number, unknown>,
    visit: (key: string, revisions: readonly number[]) => void,
  ): void {
    for (const [key, versions] of this.#versions) {
      const deletes = versions.filter(({ value, revision }) => value === undefined && !owners.has(revision));
      if (deletes.length > 0)
        visit(
          key,
          deletes.map(({ revision }) => revision),
        );
    }
  }

  at(key: string, revision: number): Found | undefined {
    const versions = this.#versions.get(key) ?? [];
    let [from, to] = [0, versions.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((versions[middle]?.revision ?? 0) <= revision) from = middle + 1;
      else to = middle;
    }
    const there = versions[from - 1];
    return there?.value === undefined ? undefined : { value: there.value, revision: there.revision };
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

/** Throws when the event does not follow from the key's version before it. */
function versionOf({ type }: Event, kv: KeyValue, before: KeyVersion | undefined): KeyVersion {
  const key = kv.key.toString('latin1');
  const revision = Number(kv.mod_revision);
  if (before?.revision === revision) throw new Error(`${key} twice at revision ${revision}`);
  if (type === 'DELETE') {
    if (before?.value === undefined) throw new Error(`${key} is deleted at ${revision} and was not there`);
    return { revision, value: undefined, createRevision: 0, version: 0 };
  }
  const createRevision = before?.value === undefined ? revision : before.createRevision;
  const version = (before?.version ?? 0) + 1;
  if (Number(kv.create_revision) !== createRevision || Number(kv.version) !== version) {
    throw new Error(
      `${key} at ${revision} has create revision ${kv.create_revision} and version ${kv.version}, not ${createRevision} and ${version}`,
    );
  }
  return { revision, value: kv.value.toString('latin1'), createRevision, version };
}

function show({ what, beganMs }: Call): string {
  return `${JSON.stringify(what)} (begun at ${beganMs.toFixed(1)} ms)`;
}
