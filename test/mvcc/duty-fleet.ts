import type { Clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { DutyRule } from '../../src/mvcc/duty.ts';
import type { SharedLog } from '../../src/mvcc/log.ts';
import { StoreError } from '../../src/mvcc/requests.ts';
import { Store } from '../../src/mvcc/store.ts';
import type { Cursor, Note } from '../../src/mvcc/types.ts';
import type { EventBatch, WatchSink } from '../../src/mvcc/watch.ts';
import { rendezvousOwner } from '../../src/peers/rendezvous.ts';
import { StoppableClock } from '../peers/simulated-clock.ts';
import { Random } from '../support/random.ts';
import { decodePair } from './decode.ts';

/*
 * Several stores on one log, as real as they come but in one process, so that chance may do with them what it likes: what
 * each sees of the others, and when it stands still, for how long, in the middle of whatever it is doing. Beside them
 * clients that grant, keep alive, revoke and grant anew, and an observer who never stands still and watches every end.
 *
 * What is judged: a lease whose grant or renewal was answered lives for its whole TTL from when that was asked for; by
 * the log itself it ends once for each grant; and all have ended in the end.
 */

/** TTL of all leases; the shortest there is. */
const TTL_SECONDS = 1;
const LEASES = 12;
/** Each way: so that there is a middle of things, in which to stand still. */
const LATENCY_MS_MAX = 20;

export interface DutyFleetOptions {
  readonly seed: number;
  readonly clock: Clock;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** A Log of the store that nobody has opened. */
  log(): SharedLog;
  readonly steps: number;
  /** By how much the database's clock and ours may differ while it runs. */
  readonly slackMs: number;
}

export interface DutyFleetResult {
  /** What must not be, in words. */
  readonly wrong: readonly string[];
  readonly granted: number;
  /** Ended by a runner of the duty, by the log. */
  readonly expired: number;
  /** Commits that found a lease alive, or gone, that was to expire. */
  readonly rolledBack: number;
  readonly takeovers: number;
  readonly pauses: number;
}

/** A life of a lease's id, from its grant to its end. */
interface Life {
  readonly key: string;
  /** It was promised to live until then. */
  untilMs: number;
  /** Somebody revokes it: its end is no expiry. */
  isRevoked: boolean;
  ends: number;
  endedMs: number;
  /** Nobody keeps it alive any more. */
  isLeft: boolean;
}

export async function runDutyFleet(options: DutyFleetOptions): Promise<DutyFleetResult> {
  const { clock, pass } = options;
  const chance = new Random(options.seed);
  const wrong: string[] = [];
  const lives = new Map<string, Life>();
  const names = Array.from({ length: chance.between(2, 4) }, (_, i) => `member-${i}`);
  const judge = options.log();
  const { cursor: start } = await judge.open();
  let rolledBack = 0;
  const onRolledBack = () => {
    rolledBack += 1;
  };
  const members = names.map((name) => new Member(name, names, noting(options.log(), onRolledBack), clock, chance));
  const observer = storeOn(options.log(), clock, 'observer', chance);
  observer.duties.useRule({ self: 'observer', isAble: false, ownerOf: () => undefined });
  /** Lets time pass until it is done. */
  const passing = async (task: Promise<unknown>): Promise<void> => {
    let isDone = false;
    const done = task.finally(() => {
      isDone = true;
    });
    while (!isDone) await pass(20);
    await done;
  };
  const stores = [observer, ...members.map(({ store }) => store)];
  await passing(Promise.all(stores.map((store) => store.start())));
  for (const member of members) member.look();
  observer.watch(
    { key: 'life/', end: 'life0', startRevision: 0, prevKv: false, noPut: true, noDelete: false },
    new EndsSink((key) => {
      const life = lives.get(key);
      if (life === undefined) return;
      life.ends += 1;
      life.endedMs = clock.monotonicMs();
    }),
  );

  let isOver = false;
  let pauses = 0;
  const underWay = new Set<Promise<void>>();
  const client = (task: () => Promise<void>): void => {
    const tracked = task()
      .catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error;
      })
      .finally(() => underWay.delete(tracked));
    underWay.add(tracked);
  };

  const current = new Map<bigint, Life>();
  /** Grants that were begun: what a renewal says is of another life when there was one since. */
  const grants = new Map<bigint, number>();
  const busy = new Set<bigint>();
  const grant = async (id: bigint): Promise<void> => {
    const { store } = chance.pick(members);
    grants.set(id, (grants.get(id) ?? 0) + 1);
    const askedMs = clock.monotonicMs();
    await store.leaseGrant(id, TTL_SECONDS);
    const life: Life = {
      ...{ key: `life/${id}/${lives.size}`, untilMs: askedMs + TTL_SECONDS * 1000, isRevoked: false },
      ...{ ends: 0, endedMs: 0, isLeft: false },
    };
    lives.set(life.key, life);
    current.set(id, life);
    await store.put({
      ...{ kind: 'put', key: life.key, value: Buffer.from('v'), lease: id },
      ...{ prevKv: false, ignoreValue: false, ignoreLease: false },
    });
  };
  const renew = async (id: bigint, life: Life): Promise<void> => {
    const askedMs = clock.monotonicMs();
    const before = grants.get(id);
    const ttl = await chance.pick(members).store.leaseKeepAlive(id);
    if (ttl > 0 && grants.get(id) === before && !life.isRevoked) {
      life.untilMs = Math.max(life.untilMs, askedMs + ttl * 1000);
    }
  };
  const alone = (id: bigint, task: () => Promise<void>): void => {
    busy.add(id);
    client(() => task().finally(() => busy.delete(id)));
  };
  const revoke = async (id: bigint, life: Life): Promise<void> => {
    life.isRevoked = true;
    await chance.pick(members).store.leaseRevoke(id);
  };

  const ids = Array.from({ length: LEASES }, () => BigInt(chance.between(1, 2 ** 30)) * 16n + BigInt(chance.below(16)));
  for (let step = 0; step < options.steps && !isOver; step += 1) {
    const member = chance.pick(members);
    const choice = chance.below(100);
    if (choice < 20) member.look();
    else if (choice < 32) pauses += member.stop();
    else if (choice < 50) member.goOn();
    // All are away for a while, and clients with them.
    else if (choice < 52) for (const each of members) pauses += each.stop();
    for (const id of ids) {
      const life = current.get(id);
      if (busy.has(id)) continue;
      if (life === undefined || life.ends > 0 || life.isRevoked) {
        current.delete(id);
        if (chance.chance(30)) alone(id, () => grant(id));
      } else if (life.isLeft) continue;
      else if (chance.chance(3)) life.isLeft = true;
      else if (chance.chance(2)) alone(id, () => revoke(id, life).then(() => grant(id)));
      else if (chance.chance(40)) client(() => renew(id, life));
    }
    await pass(chance.between(10, 200));
  }
  isOver = true;
  for (const member of members) member.goOn();
  for (let i = 0; i < 400 && (underWay.size > 0 || observer.leases().length > 0); i += 1) await pass(50);
  if (underWay.size > 0) wrong.push(`${underWay.size} calls of clients have no answer`);
  if (observer.leases().length > 0) wrong.push(`${observer.leases().length} leases have not ended`);

  for (const { key, ends, endedMs, untilMs, isRevoked } of lives.values()) {
    if (ends > 1) wrong.push(`${key} ended ${ends} times`);
    if (ends > 0 && !isRevoked && endedMs < untilMs - options.slackMs) {
      wrong.push(`${key} ended ${Math.round(untilMs - endedMs)} ms before its time`);
    }
  }
  const notes = await notesSince(judge, start);
  wrong.push(...outOfTurn(notes));
  const expired = notes.filter(({ kind }) => kind === 'expire').length;
  const takeovers = sum(members, ({ store }) => store.stats.duties.takeovers.value);
  await passing(Promise.all(stores.map((store) => store.stop())));
  await judge.close();
  return { wrong, granted: lives.size, expired, rolledBack, takeovers, pauses };
}

async function notesSince(judge: SharedLog, start: Cursor): Promise<Note['change'][]> {
  const notes: Note['change'][] = [];
  for (let at = start; ; ) {
    const news = await judge.news(at, 1024 * 1024);
    if (news.kind !== 'news') throw new Error(`the log has forgotten: ${news.kind}`);
    notes.push(...news.notes.map(({ change }) => change));
    if (!news.more) return notes;
    at = news.cursor;
  }
}

/** Each end needs a grant before it. */
function outOfTurn(notes: readonly Note['change'][]): string[] {
  const wrong: string[] = [];
  const alive = new Set<bigint>();
  for (const change of notes) {
    if (change.kind === 'grant') alive.add(change.id);
    else if (change.kind !== 'record' && change.kind !== 'checkpoint' && !alive.delete(change.id)) {
      wrong.push(`a second ${change.kind} of lease ${change.id}`);
    }
  }
  return wrong;
}

function noting(log: SharedLog, onRolledBack: () => void): SharedLog {
  const append = log.append.bind(log);
  log.append = async (batch) => {
    const result = await append(batch);
    if (result.kind === 'renewed') onRolledBack();
    return result;
  };
  return log;
}

/** A replica that sees others as chance has it, and can be made to stand still at any of its steps. */
class Member {
  readonly store: Store;
  readonly #name: string;
  readonly #names: readonly string[];
  readonly #chance: Random;
  readonly #clock: StoppableClock;
  #view: readonly string[];
  #held: (() => void)[] = [];

  constructor(name: string, names: readonly string[], log: SharedLog, clock: Clock, chance: Random) {
    this.#name = name;
    this.#names = names;
    this.#view = [name];
    this.#chance = chance;
    this.#clock = new StoppableClock(clock);
    const gate = async (): Promise<void> => {
      await new Promise<void>((resolve) => clock.after(chance.below(LATENCY_MS_MAX), resolve));
      await this.#gate();
    };
    this.store = storeOn(stoppable(log, gate), this.#clock, name, chance);
  }

  look(): void {
    if (this.#clock.isStopped) return;
    this.#view = this.#names.filter((other) => other === this.#name || this.#chance.chance(60));
    const rule: DutyRule = {
      self: this.#name,
      isAble: true,
      ownerOf: (duty) => rendezvousOwner(duty, this.#view),
    };
    this.store.duties.useRule(rule);
  }

  /** 1 when it went on until now. */
  stop(): number {
    if (this.#clock.isStopped) return 0;
    this.#clock.stop();
    return 1;
  }

  goOn(): void {
    this.#clock.goOn();
    for (const go of this.#held.splice(0)) go();
  }

  async #gate(): Promise<void> {
    while (this.#clock.isStopped) await new Promise<void>((resolve) => this.#held.push(resolve));
  }
}

function storeOn(log: SharedLog, clock: Clock, replica: string, chance: Random): Store {
  return new Store({
    ...{ log, clock, replica, logger: silentLogger, quotaBytes: -1 },
    random: () => chance.uint32() / 2 ** 32,
    sharedLeaseLimits: {
      ttlSecondsMin: TTL_SECONDS,
      expireEveryMs: 100,
      awayMs: 1000,
      endRetryMs: 50,
      endTriesMax: 1000,
    },
  });
}

/** What a log is asked, and what it answers, takes its time, and waits while its replica stands still. */
function stoppable(log: SharedLog, gate: () => Promise<void>): SharedLog {
  const waits = new Set([
    'append',
    'news',
    'renewLeases',
    'expiredLeases',
    'refreshLeases',
    'claimDuties',
    'leasesLeftMs',
  ]);
  return new Proxy(log, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      if (!waits.has(String(name))) return member.bind(target);
      return async (...args: unknown[]) => {
        await gate();
        const answer: unknown = await member.apply(target, args);
        await gate();
        return answer;
      };
    },
  });
}

class EndsSink implements WatchSink {
  readonly #onEnd: (key: string) => void;

  constructor(onEnd: (key: string) => void) {
    this.#onEnd = onEnd;
  }

  onEvents(_: unknown, { events }: EventBatch): boolean {
    for (const { kv } of events) this.#onEnd(decodePair(kv).key);
    return true;
  }

  onCompacted(): void {
    throw new Error('nothing is compacted here');
  }

  onError(_: unknown, error: Error): void {
    throw error;
  }

  onLive(): void {}
}

function sum<T>(of: readonly T[], count: (each: T) => number): number {
  return of.reduce((total, each) => total + count(each), 0);
}
