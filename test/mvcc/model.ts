import type {
  Compare,
  DeleteRequest,
  PutRequest,
  RangeRequest,
  TxnOp,
  TxnRequest,
  WriteRequest,
} from '../../src/mvcc/requests.ts';
import { StoreError } from '../../src/mvcc/requests.ts';

/**
 * The store as one would explain it: a list of what happened. Every answer is worked out by playing the list from the
 * start. Slow, and meant to be seen to be right at a glance.
 */

/** A key-value pair, decoded. */
export interface Pair {
  readonly key: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly value: string;
  readonly lease: bigint;
}

/** An answer, decoded. Only the fields of its kind are there. */
export interface ModelAnswer {
  readonly revision: number;
  readonly count?: number;
  readonly more?: boolean;
  readonly pairs?: readonly Pair[];
  readonly succeeded?: boolean;
  readonly results?: readonly ModelAnswer[];
}

interface Event {
  readonly revision: number;
  /** undefined: deleted. */
  readonly pair: Pair | undefined;
  readonly key: string;
}

export class Model {
  head = 1;
  horizon = 0;
  events: Event[] = [];
  readonly leases = new Set<bigint>();

  write(request: WriteRequest): ModelAnswer {
    const before = this.events.length;
    const answer = this.#write(request);
    if (this.events.length > before) this.head += 1;
    return answer;
  }

  range(request: RangeRequest, head = this.head): ModelAnswer {
    if (request.revision > head) throw new StoreError('future-revision');
    const revision = request.revision <= 0 ? head : request.revision;
    if (revision < this.horizon) throw new StoreError('compacted');
    const inRange = this.#pairsIn(request.key, request.end, revision);
    const count = inRange.length;
    if (request.countOnly) return { revision: head, count, more: false, pairs: [] };
    let pairs = inRange;
    const filtered =
      request.minModRevision + request.maxModRevision + request.minCreateRevision + request.maxCreateRevision !== 0;
    // etcd's quirk: without an order it looks at one key more than the limit, and sorts these.
    if (request.order === 'none' && !filtered && request.limit > 0) pairs = pairs.slice(0, request.limit + 1);
    pairs = pairs.filter(
      (pair) =>
        !(request.maxModRevision !== 0 && pair.mod > request.maxModRevision) &&
        !(request.minModRevision !== 0 && pair.mod < request.minModRevision) &&
        !(request.maxCreateRevision !== 0 && pair.create > request.maxCreateRevision) &&
        !(request.minCreateRevision !== 0 && pair.create < request.minCreateRevision),
    );
    const sign = request.order === 'descend' ? -1 : 1;
    pairs = pairs.slice().sort((a, b) => sign * order(a[request.target], b[request.target]));
    const more = request.limit > 0 && pairs.length > request.limit;
    if (more) pairs = pairs.slice(0, request.limit);
    if (request.keysOnly) pairs = pairs.map((pair) => ({ ...pair, value: '' }));
    return { revision: head, count, more, pairs };
  }

  compact(revision: number): void {
    if (revision <= this.horizon) throw new StoreError('compacted');
    if (revision > this.head) throw new StoreError('future-revision');
    this.horizon = revision;
  }

  /** What a row-exact log must hold: all that a reader at or after the horizon can see, and deletes since. */
  rowsNeeded(): string[] {
    const rows: string[] = [];
    this.events.forEach((event, i) => {
      const next = this.events.slice(i + 1).find((later) => later.key === event.key);
      const superseded = next !== undefined && next.revision <= this.horizon;
      const forgotten = next === undefined && event.pair === undefined && event.revision < this.horizon;
      if (!superseded && !forgotten) rows.push(`${event.revision} ${event.key}`);
    });
    return rows;
  }

  #write(request: WriteRequest): ModelAnswer {
    switch (request.kind) {
      case 'put':
        this.#checkPut(request);
        return this.#put(request);
      case 'delete':
        return this.#delete(request);
      case 'txn':
        return this.#txn(request);
      case 'lease-grant':
        if (this.leases.has(request.id)) throw new StoreError('lease-exists');
        this.leases.add(request.id);
        return { revision: this.head };
      case 'lease-revoke':
      case 'lease-expire': {
        if (!this.leases.has(request.id)) throw new StoreError('lease-not-found');
        for (const pair of this.#now()) {
          if (pair.lease === request.id) this.#add(pair.key, undefined);
        }
        this.leases.delete(request.id);
        return { revision: this.#soFar() };
      }
      case 'lease-checkpoint':
        if (!this.leases.has(request.id)) throw new StoreError('lease-not-found');
        return { revision: this.head };
      case 'records':
        return { revision: this.head };
    }
  }

  #txn(request: TxnRequest): ModelAnswer {
    // All compares and checks come before all operations: both see the store as it was.
    const plan = this.#plan(request);
    this.#check(plan);
    return { ...this.#execute(plan), revision: this.#soFar() };
  }

  #plan(request: TxnRequest): Plan {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    const ops = succeeded ? request.success : request.failure;
    const plans = ops.map((op) => (op.kind === 'txn' ? this.#plan(op) : undefined));
    return { succeeded, ops, plans };
  }

  #check(plan: Plan): void {
    // All puts before the first range, wherever they stand.
    this.#forAll(plan, (op) => {
      if (op.kind === 'put') this.#checkPut(op);
    });
    this.#forAll(plan, (op) => {
      if (op.kind !== 'range') return;
      if (op.revision > this.head) throw new StoreError('future-revision');
      if (op.revision !== 0 && op.revision < (this.horizon || -1)) throw new StoreError('compacted');
    });
  }

  #forAll(plan: Plan, visit: (op: TxnOp) => void): void {
    plan.ops.forEach((op, i) => {
      const inner = plan.plans[i];
      if (inner === undefined) visit(op);
      else this.#forAll(inner, visit);
    });
  }

  #execute(plan: Plan): ModelAnswer {
    const results = plan.ops.map((op, i): ModelAnswer => {
      if (op.kind === 'put') return this.#put(op);
      if (op.kind === 'delete') return this.#delete(op);
      if (op.kind === 'range') return this.range(op, this.#soFar());
      const inner = plan.plans[i];
      if (inner === undefined) throw new Error('no plan');
      return { ...this.#execute(inner), revision: 0 };
    });
    return { revision: 0, succeeded: plan.succeeded, results };
  }

  #holds(compare: Compare): boolean {
    const { target } = compare;
    const pairs = this.#pairsIn(compare.key, compare.end, this.head);
    if (pairs.length === 0) {
      if (target.kind === 'value') return false;
      const nothing = target.kind === 'lease' ? order(0n, target.lease) : order(0, target.number);
      return fits(nothing, compare.result);
    }
    return pairs.every((pair) => {
      if (target.kind === 'value') return fits(order(pair.value, latin1(target.value)), compare.result);
      if (target.kind === 'lease') return fits(order(pair.lease, target.lease), compare.result);
      return fits(order(pair[target.kind], target.number), compare.result);
    });
  }

  #checkPut(request: PutRequest): void {
    if (request.lease !== 0n && !this.leases.has(request.lease)) throw new StoreError('lease-not-found');
    if ((request.ignoreLease || request.ignoreValue) && !this.#find(request.key, this.head)) {
      throw new StoreError('key-not-found');
    }
  }

  #put(request: PutRequest): ModelAnswer {
    const before = this.#find(request.key, this.head + 1);
    const revision = this.head + 1;
    this.#add(request.key, {
      key: request.key,
      create: before?.create ?? revision,
      mod: revision,
      version: (before?.version ?? 0) + 1,
      value: request.ignoreValue && before !== undefined ? before.value : latin1(request.value),
      lease: request.ignoreLease && before !== undefined ? before.lease : request.lease,
    });
    return { revision, pairs: request.prevKv && before !== undefined ? [before] : [] };
  }

  #delete(request: DeleteRequest): ModelAnswer {
    const pairs = this.#pairsIn(request.key, request.end, this.head + 1);
    for (const pair of pairs) this.#add(pair.key, undefined);
    return { revision: this.#soFar(), count: pairs.length, pairs: request.prevKv ? pairs : [] };
  }

  #add(key: string, pair: Pair | undefined): void {
    this.events.push({ revision: this.head + 1, key, pair });
  }

  /** The next revision once the request has changed something. */
  #soFar(): number {
    return this.events.at(-1)?.revision === this.head + 1 ? this.head + 1 : this.head;
  }

  #now(): Pair[] {
    return this.#pairsIn('', '\0', this.head + 1);
  }

  #find(key: string, revision: number): Pair | undefined {
    return this.events.findLast((event) => event.key === key && event.revision <= revision)?.pair;
  }

  #pairsIn(key: string, end: string, revision: number): Pair[] {
    const latest = new Map<string, Pair | undefined>();
    for (const event of this.events) if (event.revision <= revision) latest.set(event.key, event.pair);
    const pairs = [...latest.values()].filter((pair) => pair !== undefined);
    return pairs
      .filter((pair) => (end === '' ? pair.key === key : pair.key >= key && (end === '\0' || pair.key < end)))
      .sort((a, b) => order(a.key, b.key));
  }
}

interface Plan {
  readonly succeeded: boolean;
  readonly ops: readonly TxnOp[];
  readonly plans: readonly (Plan | undefined)[];
}

function order<T extends string | number | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function fits(difference: number, result: Compare['result']): boolean {
  if (result === 'equal') return difference === 0;
  if (result === 'not-equal') return difference !== 0;
  return result === 'greater' ? difference > 0 : difference < 0;
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
