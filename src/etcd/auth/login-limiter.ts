import type { Clock } from '../../base/clock.ts';
import { Status, StatusError } from '../../wire/grpc.ts';

/** Attempts that one name may have at once, and after how long it has another one. */
interface Allowance {
  readonly attemptsMax: number;
  readonly refillMs: number;
}

export interface LoginLimits {
  /** Of one user, from wherever. */
  readonly user: Allowance;
  /** Of one address, as whomever. */
  readonly address: Allowance;
  /** Names of each kind that are remembered; the one that was last seen longest ago is forgotten first. */
  readonly namesMax: number;
}

export const LOGIN_LIMITS: LoginLimits = {
  user: { attemptsMax: 20, refillMs: 3000 },
  address: { attemptsMax: 40, refillMs: 1500 },
  namesMax: 10_000,
};

/**
 * Bounds how fast passwords can be tried. An attempt is taken from the allowance of its user and its address before
 * anything is compared, so many at once count too; one that succeeds is given back. So whoever knows the password is
 * never slowed down by himself.
 */
export class LoginLimiter {
  readonly #users: Allowances;
  readonly #addresses: Allowances;

  constructor(clock: Clock, limits: LoginLimits = LOGIN_LIMITS) {
    this.#users = new Allowances(clock, limits.user, limits.namesMax);
    this.#addresses = new Allowances(clock, limits.address, limits.namesMax);
  }

  /** Throws resourceExhausted; otherwise answers what takes the attempt back. */
  attempt(user: string, peer: string): () => void {
    const address = addressOf(peer);
    const waitMs = Math.max(this.#users.waitMs(user), this.#addresses.waitMs(address));
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      throw new StatusError(Status.resourceExhausted, `kedge: too many failed logins; try again in ${seconds} s`);
    }
    this.#users.change(user, -1);
    this.#addresses.change(address, -1);
    return () => {
      this.#users.change(user, 1);
      this.#addresses.change(address, 1);
    };
  }
}

class Allowances {
  readonly #clock: Clock;
  readonly #allowance: Allowance;
  readonly #namesMax: number;
  /** What is left, least recently seen first. */
  readonly #left = new Map<string, { attempts: number; atMs: number }>();

  constructor(clock: Clock, allowance: Allowance, namesMax: number) {
    this.#clock = clock;
    this.#allowance = allowance;
    this.#namesMax = namesMax;
  }

  waitMs(name: string): number {
    const { refillMs } = this.#allowance;
    const attempts = this.#attempts(name);
    return attempts >= 1 ? 0 : (1 - attempts) * refillMs;
  }

  change(name: string, by: number): void {
    const attempts = Math.min(this.#attempts(name) + by, this.#allowance.attemptsMax);
    this.#left.delete(name);
    for (const oldest of this.#left.keys()) {
      if (this.#left.size < this.#namesMax) break;
      this.#left.delete(oldest);
    }
    if (attempts < this.#allowance.attemptsMax) this.#left.set(name, { attempts, atMs: this.#clock.monotonicMs() });
  }

  #attempts(name: string): number {
    const { attemptsMax, refillMs } = this.#allowance;
    const left = this.#left.get(name);
    if (left === undefined) return attemptsMax;
    return Math.min(attemptsMax, left.attempts + (this.#clock.monotonicMs() - left.atMs) / refillMs);
  }
}

/** Without the port. */
function addressOf(peer: string): string {
  const colon = peer.lastIndexOf(':');
  return colon < 0 ? peer : peer.slice(0, colon);
}
