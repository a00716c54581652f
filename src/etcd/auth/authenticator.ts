import type { Logger } from '../../base/logger.ts';
import { refusal } from '../errors.ts';
import type { AuthView } from './auth-view.ts';
import type { LoginLimiter } from './login-limiter.ts';
import type { Passwords } from './passwords.ts';
import type { Tokens } from './tokens.ts';

export interface AuthenticatorOptions {
  readonly view: AuthView;
  readonly tokens: Tokens;
  readonly passwords: Passwords;
  readonly limiter: LoginLimiter;
  readonly logger: Logger;
}

/** Name and password for a token. Source: Authenticate in etcd's server/etcdserver/v3_server.go. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  /** A hash of no password that anybody has: with it an unknown user takes as long as a known one. */
  #decoy: Promise<Uint8Array> | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** Throws etcd's refusal; resourceExhausted after too many wrong ones. */
  async authenticate(user: string, password: string, peer: string): Promise<string> {
    const { tokens, view } = this.#options;
    for (;;) {
      const revision = await this.#check(user, password, peer);
      // What was compared may be the password of before.
      if (revision === view.revision && view.enabled) return tokens.assign(user, revision);
    }
  }

  /** Answers the auth revision at which the password was this user's. */
  async #check(name: string, password: string, peer: string): Promise<number> {
    const { view, passwords, limiter, logger } = this.#options;
    if (!view.enabled) throw refusal('authNotEnabled');
    const takeBack = limiter.attempt(name, peer);
    const { revision } = view;
    const user = view.user(name);
    if (user?.noPassword === true) throw refusal('noPasswordUser');
    const hash = user?.password ?? (await this.#decoyHash());
    const matches = await passwords.matches(password, hash);
    if (!matches || user === undefined) {
      logger.warn('login refused', { user: name.slice(0, NAME_SHOWN_MAX), peer });
      throw refusal('authFailed');
    }
    takeBack();
    return revision;
  }

  #decoyHash(): Promise<Uint8Array> {
    this.#decoy ??= this.#options.passwords.hash('').catch((error: unknown) => {
      this.#decoy = undefined;
      throw error;
    });
    return this.#decoy;
  }
}

/** Of a name that may be anything. */
const NAME_SHOWN_MAX = 64;
