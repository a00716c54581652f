import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { Identity, Tokens } from './tokens.ts';

export interface SimpleTokensOptions {
  readonly clock: Clock;
  /** A token that is not used for so long is over. etcd: 300 seconds. */
  readonly ttlMs: number;
  /** When there are more, the one unused for longest goes. */
  readonly tokensMax?: number;
}

interface Token {
  readonly user: string;
  expiresMs: number;
}

/**
 * etcd's simple tokens: random names that this server alone knows, until it ends. Where several replicas serve, a client
 * that comes to another one is refused with "invalid auth token", asks for a new one and goes on, as with etcd; JWTs are
 * good for all replicas. Source: etcd's server/auth/simple_token.go.
 */
export class SimpleTokens implements Tokens {
  readonly #options: SimpleTokensOptions;
  /** Least recently used first, so the first to be over come first. */
  readonly #tokens = new Map<string, Token>();
  #count = 0;

  constructor(options: SimpleTokensOptions) {
    this.#options = options;
  }

  assign(user: string): string {
    this.#count += 1;
    const token = `${randomLetters()}.${this.#count}`;
    this.#forgetSome();
    this.#tokens.set(token, { user, expiresMs: this.#expiry() });
    return token;
  }

  identify(token: string, revision: number): Identity | undefined {
    const found = this.#tokens.get(token);
    if (found === undefined) return undefined;
    this.#tokens.delete(token);
    if (found.expiresMs <= this.#options.clock.monotonicMs()) return undefined;
    found.expiresMs = this.#expiry();
    this.#tokens.set(token, found);
    return { user: found.user, revision };
  }

  invalidate(user: string): void {
    for (const [token, { user: owner }] of this.#tokens) if (owner === user) this.#tokens.delete(token);
  }

  forgetAll(): void {
    this.#tokens.clear();
  }

  #expiry(): number {
    return this.#options.clock.monotonicMs() + this.#options.ttlMs;
  }

  #forgetSome(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const max = this.#options.tokensMax ?? TOKENS_MAX;
    for (const [token, { expiresMs }] of this.#tokens) {
      if (expiresMs > nowMs && this.#tokens.size < max) return;
      this.#tokens.delete(token);
    }
  }
}

const TOKENS_MAX = 100_000;
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
/** etcd takes 16: 91 bits. */
const TOKEN_LETTERS = 22;

function randomLetters(): string {
  let letters = '';
  for (let i = 0; i < TOKEN_LETTERS; i += 1) letters += LETTERS.charAt(randomInt(LETTERS.length));
  return letters;
}
