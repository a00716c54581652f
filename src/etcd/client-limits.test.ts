import { describe, expect, it } from 'vitest';
import type { Clock } from '../base/clock.ts';
import type { Call } from '../wire/grpc.ts';
import { ClientLimits, clientOf } from './client-limits.ts';

class StillClock implements Clock {
  nowMs = 0;
  wallMs(): number {
    return this.nowMs;
  }
  monotonicMs(): number {
    return this.nowMs;
  }
  after(): never {
    throw new Error('nobody waits here');
  }
}

function call(peer: string, commonName?: string): Call {
  const signal = new AbortController().signal;
  return { path: '/p', metadata: new Map(), deadlineMs: undefined, peer, commonName, signal };
}

describe('what one client may ask', () => {
  it('so many a second, twice as many after a pause, each client for itself', () => {
    const clock = new StillClock();
    const limits = new ClientLimits({ requestsPerSecondMax: 10, inFlightMax: 0, clock });
    const taken = (who: Call): number => {
      for (let count = 0; ; count++) {
        try {
          limits.request(who);
        } catch (error) {
          expect(String(error)).toMatch(/too many requests: .* sends more than 10 requests a second/);
          return count;
        }
      }
    };
    const [one, other, named] = [call('10.0.0.1:1'), call('10.0.0.2:1'), call('10.0.0.1:1', 'alice')];
    expect(taken(one)).toBe(20);
    // Another connection of the same client.
    expect(taken(call('10.0.0.1:2'))).toBe(0);
    expect(taken(other)).toBe(20);
    expect(taken(named)).toBe(20);
    clock.nowMs += 500;
    expect(taken(one)).toBe(5);
    clock.nowMs += 60_000;
    expect(taken(one)).toBe(20);
    expect(limits.refused).toBe(6);
  });

  it('so many at a time; each is counted out once', () => {
    const limits = new ClientLimits({ requestsPerSecondMax: 0, inFlightMax: 2, clock: new StillClock() });
    const who = call('/run/kedge.sock');
    const leave = limits.enter(who);
    limits.enter(who);
    expect(() => limits.enter(who)).toThrow('/run/kedge.sock has 2 requests under way');
    leave();
    leave();
    limits.enter(who);
    expect(() => limits.enter(who)).toThrow();
    limits.enter(call('/run/other.sock'));
  });

  it('a hundred thousand clients are not all remembered, those who are busy are', () => {
    const limits = new ClientLimits({ requestsPerSecondMax: 1, inFlightMax: 1, clock: new StillClock() });
    limits.enter(call('busy:1'));
    for (let i = 0; i < 100_000; i++) limits.request(call(`10.0.${i}:1`));
    expect(() => limits.enter(call('busy:2'))).toThrow();
  });

  it('is known by certificate, else by address', () => {
    expect(clientOf(call('10.0.0.1:5', 'alice'))).toBe('alice');
    expect(clientOf(call('::1:5'))).toBe('::1');
  });
});
