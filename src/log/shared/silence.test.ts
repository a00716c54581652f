import { describe, expect, it } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { Silence } from './silence.ts';

const host = { host: 'db', port: 1 };

/** A clock that stands still until it is told to go on. */
class StandingClock implements Clock {
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly task: () => void }[] = [];
  wallMs = () => this.#nowMs;
  monotonicMs = () => this.#nowMs;

  after(delayMs: number, task: () => void) {
    const timer = { atMs: this.#nowMs + delayMs, task };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((each) => each !== timer);
      },
    };
  }

  /** In small steps, with what follows from each. */
  async pass(ms: number): Promise<void> {
    for (const untilMs = this.#nowMs + ms; this.#nowMs < untilMs; ) {
      this.#nowMs += 100;
      const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
      this.#timers = this.#timers.filter(({ atMs }) => atMs > this.#nowMs);
      for (const { task } of due) task();
      for (let i = 0; i < 5; i++) await Promise.resolve();
    }
  }
}

function stage(isThere: () => boolean | undefined) {
  const clock = new StandingClock();
  let looks = 0;
  const silence = new Silence(clock, () => {
    looks += 1;
    const answer = isThere();
    return answer === undefined ? new Promise(() => {}) : Promise.resolve(answer);
  });
  let gone = 0;
  silence.onGone = () => {
    gone += 1;
  };
  const given: string[] = [];
  const giveUp = (why: string) => void given.push(why);
  const watch = (timeoutMs = 12_000) => silence.watch(host, timeoutMs, giveUp);
  return { clock, silence, given, giveUp, watch, looks: () => looks, gone: () => gone };
}

describe('a server that says nothing', () => {
  it('is given up soon when nobody takes a connection there, by all who wait, with one look', async () => {
    for (const answer of [false, undefined]) {
      const { clock, silence, given, watch, looks, gone } = stage(() => answer);
      watch();
      watch();
      await clock.pass(1_900);
      expect(looks()).toBe(0);
      await clock.pass(2_200);
      expect(given).toEqual(Array(2).fill('no answer, and nobody takes a new connection within 2000 ms'));
      expect([looks(), silence.losses(host), gone()]).toEqual([1, 1, 1]);
      await clock.pass(20_000);
      expect(given).toHaveLength(2);
    }
  });

  it('is waited for until the time is over when its host is there, with few looks', async () => {
    const { clock, silence, given, watch, looks } = stage(() => true);
    watch();
    await clock.pass(11_900);
    expect(given).toEqual([]);
    await clock.pass(200);
    expect(given).toEqual(['no answer within 12000 ms']);
    expect([looks(), silence.losses(host)]).toEqual([2, 0]);
  });

  it('is found out too when it goes later', async () => {
    let isThere = true;
    const { clock, given, watch } = stage(() => isThere);
    watch(60_000);
    await clock.pass(3_000);
    isThere = false;
    await clock.pass(8_000);
    expect(given).toHaveLength(1);
  });

  it('is not looked at when it answers in time, is on this machine, or has little time anyway', async () => {
    const { clock, silence, given, giveUp, watch, looks } = stage(() => false);
    const answered = watch();
    await clock.pass(1_500);
    answered.cancel();
    watch(1_000);
    silence.watch(undefined, 9_000, giveUp);
    await clock.pass(8_000);
    expect(given).toEqual(['no answer within 1000 ms']);
    await clock.pass(2_000);
    expect(given).toHaveLength(2);
    expect(looks()).toBe(0);
  });

  it('is not given up by who was answered during the look', async () => {
    const { clock, given, watch } = stage(() => undefined);
    const answered = watch();
    await clock.pass(3_000);
    answered.cancel();
    await clock.pass(20_000);
    expect(given).toEqual([]);
  });
});
