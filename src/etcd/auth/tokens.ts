/** Whom a token speaks for. */
export interface Identity {
  readonly user: string;
  /** The auth revision that counts for what is asked with it: when it is not the newest, etcd refuses. */
  readonly revision: number;
}

/**
 * Gives out tokens and knows whose they are: `simple-tokens.ts`, `jwt-tokens.ts`.
 * Source: TokenProvider in etcd's server/auth/store.go.
 */
export interface Tokens {
  /** A new token. Throws StatusError when this server may only verify. */
  assign(user: string, revision: number): string;
  /** undefined: no token of ours, or one that is over. `revision`: auth's, as it is now. */
  identify(token: string, revision: number): Identity | undefined;
  /** The user is gone or has another password. */
  invalidate(user: string): void;
  /** Auth was switched off. */
  forgetAll(): void;
}
