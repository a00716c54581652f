import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { Status, StatusError } from '../../wire/grpc.ts';
import type { JwtMethod } from './jwt-methods.ts';
import type { Identity, Tokens } from './tokens.ts';

export interface JwtTokensOptions {
  readonly clock: Clock;
  readonly method: JwtMethod;
  /** undefined: this server only verifies. */
  readonly signingKey: KeyObject | undefined;
  readonly verifyingKey: KeyObject;
  readonly ttlMs: number;
}

/**
 * JSON Web Tokens with etcd's claims: username, revision, exp. Whoever has the key tells whose they are, so they are
 * good at every replica and after a restart. A change of auth makes all of them old ("revision of auth store is old"),
 * whereupon clients ask for a new one. Source: etcd's server/auth/jwt.go; RFC 7519.
 */
export class JwtTokens implements Tokens {
  readonly #options: JwtTokensOptions;
  readonly #head: string;
  /** Verified ones: a signature costs more than all else that a request does. Oldest first. */
  readonly #verified = new Map<string, Claims>();

  constructor(options: JwtTokensOptions) {
    this.#options = options;
    this.#head = encoded({ alg: options.method.algorithm, typ: 'JWT' });
  }

  assign(user: string, revision: number): string {
    const { method, signingKey, clock, ttlMs } = this.#options;
    if (signingKey === undefined)
      throw new StatusError(Status.unknown, 'auth: token signing attempted with verify-only key');
    const exp = Math.floor((clock.wallMs() + ttlMs) / 1000);
    const signed = `${this.#head}.${encoded({ exp, revision, username: user })}`;
    return `${signed}.${method.sign(Buffer.from(signed), signingKey).toString('base64url')}`;
  }

  identify(token: string): Identity | undefined {
    let claims = this.#verified.get(token);
    if (claims === undefined) {
      claims = this.#verify(token);
      if (claims === undefined) return undefined;
      this.#remember(token, claims);
    }
    const nowSeconds = this.#options.clock.wallMs() / 1000;
    if (nowSeconds >= claims.exp || nowSeconds < claims.notBefore) {
      this.#verified.delete(token);
      return undefined;
    }
    return claims;
  }

  /** Their revision is old from now on. */
  invalidate(): void {}

  forgetAll(): void {
    this.#verified.clear();
  }

  #verify(token: string): Claims | undefined {
    if (token.length > TOKEN_CHARACTERS_MAX) return undefined;
    const [head, payload, signature, ...more] = token.split('.');
    if (head === undefined || payload === undefined || signature === undefined || more.length > 0) return undefined;
    const { method, verifyingKey } = this.#options;
    // The token does not choose how it is verified.
    if (decoded(head)?.['alg'] !== method.algorithm) return undefined;
    const signed = Buffer.from(`${head}.${payload}`);
    if (!method.verify(signed, verifyingKey, Buffer.from(signature, 'base64url'))) return undefined;
    return claimsOf(decoded(payload));
  }

  #remember(token: string, claims: Claims): void {
    for (const oldest of this.#verified.keys()) {
      if (this.#verified.size < VERIFIED_MAX) break;
      this.#verified.delete(oldest);
    }
    this.#verified.set(token, claims);
  }
}

const VERIFIED_MAX = 10_000;
const TOKEN_CHARACTERS_MAX = 8 * 1024;

interface Claims extends Identity {
  /** Seconds since the epoch. */
  readonly exp: number;
  readonly notBefore: number;
}

function claimsOf(claims: Readonly<Record<string, unknown>> | undefined): Claims | undefined {
  if (claims === undefined) return undefined;
  const { username, revision, exp = Number.POSITIVE_INFINITY, nbf = 0, iat = 0 } = claims;
  if (typeof username !== 'string' || typeof revision !== 'number') return undefined;
  if (typeof exp !== 'number' || typeof nbf !== 'number' || typeof iat !== 'number') return undefined;
  return { user: username, revision, exp, notBefore: Math.max(nbf, iat) };
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decoded(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    // Not a token of ours: the caller says so.
    return undefined;
  }
}
