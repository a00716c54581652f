import { describe, expect, it } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { LoginLimiter } from './login-limiter.ts';

const LIMITS = { user: { attemptsMax: 3, refillMs: 1000 }, address: { attemptsMax: 5, refillMs: 1000 }, namesMax: 4 };

function limiterAt(now: { ms: number }): LoginLimiter {
  const clock: Clock = { wallMs: () => now.ms, monotonicMs: () => now.ms, after: () => ({ cancel() {} }) };
  return new LoginLimiter(clock, LIMITS);
}

describe('LoginLimiter', () => {
  it('refuses a user after so many wrong passwords, from wherever, until time has passed', () => {
    const now = { ms: 0 };
    const limiter = limiterAt(now);
    for (const port of [1, 2, 3]) limiter.attempt('alice', `10.0.0.${port}:1`);
    expect(() => limiter.attempt('alice', '10.0.0.9:1')).toThrow('too many failed logins; try again in 1 s');
    limiter.attempt('bob', '10.0.0.9:1');
    now.ms = 1000;
    limiter.attempt('alice', '10.0.0.9:1');
    expect(() => limiter.attempt('alice', '10.0.0.9:1')).toThrow('too many failed logins');
  });

  it('refuses an address, whatever its port, after so many as whomever', () => {
    const limiter = limiterAt({ ms: 0 });
    for (const user of ['a', 'b', 'c', 'd', 'e']) limiter.attempt(user, `10.0.0.1:${user.charCodeAt(0)}`);
    expect(() => limiter.attempt('f', '10.0.0.1:7')).toThrow('too many failed logins');
    limiter.attempt('f', '10.0.0.2:7');
  });

  it('what succeeds costs nothing', () => {
    const limiter = limiterAt({ ms: 0 });
    for (let i = 0; i < 100; i += 1) limiter.attempt('alice', '10.0.0.1:1')();
  });

  it('remembers so many names', () => {
    const limiter = limiterAt({ ms: 0 });
    for (let i = 0; i < 3; i += 1) limiter.attempt('alice', `1.1.1.${i}:1`);
    for (const user of ['b', 'c', 'd', 'e']) limiter.attempt(user, `1.1.2.${user}:1`);
    limiter.attempt('alice', '1.1.1.9:1');
  });
});
