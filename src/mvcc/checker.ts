import type { Clock } from '../base/clock.ts';
import type { Hasher } from './hasher.ts';
import type { KeyVersion } from './key-history.ts';
import type { KeyIndex } from './key-index.ts';
import type { LeaseView } from './lease-book.ts';
import type { Log } from './log.ts';
import { toStoreError } from './store-error.ts';
import { type Change, FIRST_REVISION, type Key, NO_LEASE, type Revision, TO_THE_LAST_KEY } from './types.ts';

/**
 * What can be wrong with a store.
 *  - `gap`: a revision above the horizon has no rows.
 *  - `order`: the subs of a revision above the horizon are not 0, 1, 2, …
 *  - `chain`: a row's version or create revision does not follow from the key's row before it.
 *  - `index`: memory says something else than the log.
 *  - `unswept`: a row that compaction should have taken is still there.
 *  - `lease`: a key has a lease that does not exist.
 */
export type FindingKind = 'gap' | 'order' | 'chain' | 'index' | 'unswept' | 'lease';

export interface Finding {
  readonly kind: FindingKind;
  readonly revision: Revision;
  readonly sub: number;
  /** Empty where it is about no single key. */
  readonly key: Key;
  readonly detail: string;
}

/** Hears how far a check is. */
export type CheckProgress = (revision: Revision, until: Revision) => void;

export interface CheckResult {
  /** What was checked is the store as it was at this revision. */
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly rows: number;
  readonly keys: number;
  /** HashKV at that revision: two replicas that hash to the same hold the same. */
  readonly hash: number;
  /** The first ones. */
  readonly findings: readonly Finding[];
  readonly findingsTotal: number;
}

/**
 * Reads the whole log once and holds it against itself, the index and the leases, while writes and compactions go on.
 * Half of the time it rests, so that it can run every hour.
 *
 * What it sees moves: rows below the horizon vanish while it reads. So what a row says of its neighbours counts only
 * above the horizon as it is in the end, where nothing is ever taken; and index and leases are asked in the very step in
 * which a page of rows is looked at, for both change in one step too.
 */
export class Checker {
  readonly #parts: CheckerParts;

  constructor(parts: CheckerParts) {
    this.#parts = parts;
  }

  /** At a revision, or at the newest for 0. Rejects with StoreError: `compacted`, `future-revision`, or why the log cannot. */
  async check(revision: Revision, onProgress?: CheckProgress): Promise<CheckResult> {
    const { log, index, clock, confirm } = this.#parts;
    await confirm?.();
    const until = revision > 0 ? revision : this.#parts.head();
    const { hash, compactRevision } = await this.#parts.hasher.hash(until);
    const pass = new Pass(this.#parts, until);
    for (let after = 0; after < until; ) {
      const beganMs = clock.monotonicMs();
      const changes = await log.changes(after, PAGE_BYTES).catch((error: unknown) => {
        throw toStoreError(error);
      });
      // A shared log is swept by others: by a horizon that is known after this.
      await confirm?.();
      const last = changes[changes.length - 1];
      if (last === undefined) break;
      after = last.revision;
      pass.page(changes);
      onProgress?.(Math.min(after, until), until);
      await new Promise<void>((resolve) => clock.after(clock.monotonicMs() - beganMs, resolve));
    }
    const findings = pass.end();
    return {
      revision: until,
      compactRevision,
      rows: pass.rows,
      keys: index.countIn('', TO_THE_LAST_KEY, until),
      hash,
      findings: findings.slice(0, FINDINGS_MAX),
      findingsTotal: findings.length,
    };
  }
}

export interface CheckerParts {
  readonly log: Log;
  readonly index: KeyIndex;
  readonly leases: LeaseView;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly head: () => Revision;
  readonly horizon: () => Revision;
  /** Up to here revisions may be missing: see imported-to.ts. */
  readonly importedTo: () => Revision;
  /** Rows below the horizon may be between index and log. */
  readonly isSweeping: () => boolean;
  /** With a shared log: Follower.confirm. */
  readonly confirm: (() => Promise<void>) | undefined;
}

const PAGE_BYTES = 1024 * 1024;
/** Told in full. */
const FINDINGS_MAX = 100;
/** Kept in memory. */
const KEPT_MAX = 10_000;

/** One way through the log. */
class Pass {
  rows = 0;
  readonly #parts: CheckerParts;
  readonly #until: Revision;
  readonly #findings: Finding[] = [];
  /** Rows that a read at #until sees. */
  #live = 0;
  /** A store begins at its first revision, which has no rows. */
  #last: { readonly revision: Revision; readonly sub: number } = { revision: FIRST_REVISION, sub: 0 };

  constructor(parts: CheckerParts, until: Revision) {
    this.#parts = parts;
    this.#until = until;
  }

  /** In one step: index and leases do not change meanwhile. */
  page(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.revision > this.#until) return;
      this.rows += 1;
      this.#checkOrder(change);
      this.#checkIndex(change);
      this.#last = change;
    }
  }

  end(): readonly Finding[] {
    const { index, horizon, importedTo } = this.#parts;
    const now = horizon();
    const holesTo = importedTo();
    if (this.#last.revision < this.#until && this.#until > now) {
      this.#note('gap', this.#until, 0, '', `no rows after revision ${this.#last.revision}`);
    }
    if (now <= this.#until) {
      const keys = index.countIn('', TO_THE_LAST_KEY, this.#until);
      if (keys !== this.#live) {
        this.#note('index', this.#until, 0, '', `memory has ${keys} keys, the log ${this.#live}`);
      }
    }
    return this.#findings.filter(
      ({ kind, revision }) =>
        (revision > now && !(kind === 'gap' && revision <= holesTo)) ||
        kind === 'index' ||
        kind === 'unswept' ||
        kind === 'lease',
    );
  }

  #checkOrder({ revision, sub, key }: Change): void {
    const last = this.#last;
    if (revision === last.revision) {
      if (sub !== last.sub + 1) this.#note('order', revision, sub, key, `follows sub ${last.sub}`);
      return;
    }
    if (revision > last.revision + 1) {
      this.#note('gap', revision - 1, 0, '', `no rows between revisions ${last.revision} and ${revision}`);
    }
    if (sub !== 0) this.#note('order', revision, sub, key, 'is the first of its revision');
  }

  #checkIndex(change: Change): void {
    const { index, leases, horizon, isSweeping } = this.#parts;
    const { revision, sub, key, version, createRevision, lease } = change;
    const entry = index.get(key);
    const known = entry?.exactly(revision, sub);
    if (entry === undefined || known === undefined) {
      if (revision > horizon()) this.#note('index', revision, sub, key, 'memory does not know the row');
      else if (!isSweeping()) this.#note('unswept', revision, sub, key, `the horizon is ${horizon()}`);
      return;
    }
    if (known.version !== version || known.createRevision !== createRevision || known.lease !== lease) {
      this.#note('index', revision, sub, key, `memory has ${show(known)}, the log ${show(change)}`);
    }
    const seen = entry.versionAt(this.#until);
    if (seen?.revision === revision && seen.sub === sub) this.#live += 1;
    this.#checkChain(change, entry.versionBefore(revision, sub));
    const isNewest = entry.revision === revision && entry.sub === sub;
    if (isNewest && lease !== NO_LEASE && !leases.has(lease)) {
      this.#note('lease', revision, sub, key, `lease ${BigInt.asUintN(64, lease).toString(16)} does not exist`);
    }
  }

  #checkChain(change: Change, before: KeyVersion | undefined): void {
    const { revision, sub, key, kind, version, createRevision } = change;
    const isRight =
      kind === 'delete'
        ? version === 0 && createRevision === 0 && before !== undefined
        : before === undefined
          ? version === 1 && createRevision === revision
          : version === before.version + 1 && createRevision === before.createRevision;
    if (isRight) return;
    const what = before === undefined ? 'nothing' : show(before);
    this.#note('chain', revision, sub, key, `${kind} ${show(change)} follows ${what}`);
  }

  #note(kind: FindingKind, revision: Revision, sub: number, key: Key, detail: string): void {
    if (this.#findings.length < KEPT_MAX) this.#findings.push({ kind, revision, sub, key, detail });
  }
}

function show({ version, createRevision, lease }: Pick<KeyVersion, 'version' | 'createRevision' | 'lease'>): string {
  return `version ${version} created at ${createRevision}${lease === NO_LEASE ? '' : ` with lease ${lease}`}`;
}
