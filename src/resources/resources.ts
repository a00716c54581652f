import type { Random } from '../base/chance.ts';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { Logger } from '../base/logger.ts';
import type { CpuFlagsAnswer, MemberResources, ResourcesAnswer, ResourcesApi } from './answers.ts';
import { AskError, Asker } from './asker.ts';
import { commonCpuFlags } from './common-flags.ts';
import type { CachedFacts, FactsCache } from './facts-cache.ts';
import { RESOURCE_LIMITS } from './limits.ts';
import type { ResourceSource } from './resource-source.ts';
import { type MachineUse, RESOURCES_SCHEMA_VERSION } from './types.ts';

/**
 * What the machines of all members have, fetched when somebody asks and at no other time:
 *
 *     getResources(member) ─▶ cache: same start of the machine, younger than a day? ─── yes ─▶ current
 *                                 │ no
 *                                 ▼
 *                    the own machine is read, another is asked: one question at a time
 *                    for each member, 3 s, and after a failure none for 30 s ───────── answered ─▶ kept, current
 *                                 │ failed
 *                                 ▼
 *                       older facts in the cache? ─── yes ─▶ stale, with their age and the reason
 *                                 └────────────────── no ──▶ missing, with the reason
 *
 * Members are asked all at the same time: a dead one costs its 3 s and nobody else's.
 */
export class Resources implements ResourcesApi {
  readonly #context: ResourcesContext;
  readonly #asker: Asker;
  /** Questions under way, by member and what is asked. */
  readonly #underWay = new Map<string, Promise<unknown>>();
  /** Members that have told of a change, and were not asked since. */
  readonly #changed = new Set<string>();

  constructor(context: ResourcesContext) {
    this.#context = context;
    this.#asker = new Asker(context.clock);
  }

  async resources({
    member,
    refresh,
  }: {
    readonly member?: string | undefined;
    readonly refresh: boolean;
  }): Promise<ResourcesAnswer> {
    const sources = member === undefined ? this.#context.sources() : [this.#find(member)];
    return {
      schemaVersion: RESOURCES_SCHEMA_VERSION,
      members: await Promise.all(sources.map((source) => this.#withUse(source, refresh))),
    };
  }

  async cpuFlags({ refresh }: { readonly refresh: boolean }): Promise<CpuFlagsAnswer> {
    const sources = this.#context.sources();
    return commonCpuFlags(await Promise.all(sources.map((source) => this.getResources(source, { refresh }))));
  }

  /** A member's facts. Never rejects for the member's sake. */
  async getResources(source: ResourceSource, { refresh }: { readonly refresh: boolean }): Promise<MemberResources> {
    const { memberId } = source;
    const cached = await this.#cached(memberId);
    if (!refresh && cached !== undefined && this.#isValid(cached, source)) return this.#found(source, cached);
    try {
      const fetched = await this.#once(`facts ${memberId}`, () => this.#fetch(source, refresh));
      return this.#found(source, fetched);
    } catch (error) {
      if (!(error instanceof AskError)) throw error;
      if (cached !== undefined) return { ...this.#found(source, cached), state: 'stale', problem: error.message };
      return { ...identity(source), state: 'missing', problem: error.message };
    }
  }

  /** What is kept of the member is not as its machine is any more: the next question goes to the member itself. */
  noteChange(memberId: string): void {
    this.#changed.add(memberId);
    if (this.#changed.size <= RESOURCE_LIMITS.changedMax) return;
    for (const oldest of this.#changed) {
      this.#changed.delete(oldest);
      break;
    }
  }

  async #withUse(source: ResourceSource, refresh: boolean): Promise<MemberResources> {
    // One after the other: who is silent about the first is not waited for again.
    const resources = await this.getResources(source, { refresh });
    if (resources.problem !== undefined) return resources;
    try {
      const use = await this.#once<MachineUse>(`use ${source.memberId}`, () =>
        this.#asker.ask(source, (signal) => source.use(signal), { anew: refresh }),
      );
      return { ...resources, use };
    } catch (error) {
      if (!(error instanceof AskError)) throw error;
      return { ...resources, problem: error.message };
    }
  }

  async #fetch(source: ResourceSource, anew: boolean): Promise<CachedFacts> {
    const { clock, random, cache, logger } = this.#context;
    const { memberId } = source;
    // What changes while it answers is told of again.
    this.#changed.delete(memberId);
    const facts = await this.#asker.ask(source, (signal) => source.facts(signal), { anew });
    const jitterMs = Math.floor(random() * RESOURCE_LIMITS.factsJitterMs);
    const entry: CachedFacts = { memberId, fetchedAtMs: clock.wallMs(), jitterMs, facts };
    try {
      await cache.write(entry);
    } catch (error) {
      // The answer is as good without; the next question will cost another one.
      logger.warn('resources could not be kept in the cache', { member: memberId, error: (error as Error).message });
    }
    return entry;
  }

  /** What the cache has, unless the clock says that it is from the future: then nothing is known of its age. */
  async #cached(memberId: string): Promise<CachedFacts | undefined> {
    const cached = await this.#context.cache.read(memberId);
    return cached === undefined || cached.fetchedAtMs > this.#context.clock.wallMs() ? undefined : cached;
  }

  #isValid({ fetchedAtMs, jitterMs, facts }: CachedFacts, source: ResourceSource): boolean {
    if (source.bootId !== undefined && facts.bootId !== source.bootId) return false;
    if (this.#changed.has(source.memberId)) return false;
    const validMs = RESOURCE_LIMITS.factsValidMs - Math.min(jitterMs, RESOURCE_LIMITS.factsJitterMs);
    return this.#context.clock.wallMs() - fetchedAtMs <= validMs;
  }

  #found(source: ResourceSource, { fetchedAtMs, facts }: CachedFacts): MemberResources {
    const ageMs = Math.max(0, this.#context.clock.wallMs() - fetchedAtMs);
    return {
      ...identity(source),
      name: source.name ?? facts.system.hostname,
      state: 'current',
      fetchedAt: new Date(fetchedAtMs).toISOString(),
      ageSeconds: Math.floor(ageMs / 1000),
      facts,
    };
  }

  /** Whoever asks the same while it is asked waits for the same answer. */
  #once<T>(key: string, task: () => Promise<T>): Promise<T> {
    const running = this.#underWay.get(key) as Promise<T> | undefined;
    if (running !== undefined) return running;
    const started = task().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, started);
    return started;
  }

  #find(word: string): ResourceSource {
    const sources = this.#context.sources();
    const exact = sources.find(({ memberId, name }) => memberId === word || name === word);
    if (exact !== undefined) return exact;
    const begun = sources.filter(({ memberId }) => word !== '' && memberId.startsWith(word));
    if (begun.length === 1 && begun[0] !== undefined) return begun[0];
    const known = sources.map(({ memberId, name }) => (name === undefined ? memberId : `${memberId} (${name})`));
    const trouble = begun.length > 1 ? 'is the beginning of several members' : 'is no member';
    throw new NoSuchMember(`"${word}" ${trouble}; there are: ${known.join(', ')}`);
  }
}

/** The question named a member that is not one. */
export class NoSuchMember extends Failure {}

export interface ResourcesContext {
  /** Every member there is, the own one among them; see ResourceSource. Asked at each question. */
  readonly sources: () => readonly ResourceSource[];
  readonly cache: FactsCache;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

function identity({ memberId, name, isSelf }: ResourceSource): Pick<MemberResources, 'memberId' | 'name' | 'isSelf'> {
  return { memberId, name, isSelf };
}
