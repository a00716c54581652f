import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Key, LeaseId } from '../../mvcc/types.ts';
import { Access } from './access.ts';
import { type AuthRecords, AuthView } from './auth-view.ts';
import { AuthWriter, type RecordWriter } from './auth-writer.ts';
import { Authenticator } from './authenticator.ts';
import { LoginLimiter } from './login-limiter.ts';
import type { Passwords } from './passwords.ts';
import type { Tokens } from './tokens.ts';

export interface AuthOptions {
  /** Started. */
  readonly store: AuthRecords & RecordWriter & { readonly leaseKeys: (id: LeaseId) => readonly Key[] };
  readonly tokens: Tokens;
  readonly passwords: Passwords;
  /** See AccessOptions. */
  readonly commonNames: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Users, roles and tokens of one server, joined.
 *
 *     records of the store ─▶ AuthView ─▶ Access ◀── every call, while auth is on
 *              ▲                 │           ▲
 *         AuthWriter ◀─ decisions┘        Tokens ◀── Authenticator ◀── Passwords, LoginLimiter
 */
export class Auth {
  readonly view: AuthView;
  readonly access: Access;
  readonly writer: AuthWriter;
  readonly authenticator: Authenticator;
  readonly passwords: Passwords;

  constructor(options: AuthOptions) {
    const { store, tokens, passwords, commonNames, clock, logger } = options;
    const view = new AuthView(store);
    this.view = view;
    this.passwords = passwords;
    this.access = new Access({ view, tokens, leaseKeys: (id) => store.leaseKeys(id), commonNames });
    this.writer = new AuthWriter(view, store);
    this.authenticator = new Authenticator({ view, tokens, passwords, limiter: new LoginLimiter(clock), logger });
    view.onPassword((user) => tokens.invalidate(user));
    let wasEnabled = view.enabled;
    view.onChange(() => {
      if (wasEnabled !== view.enabled) logger.info(view.enabled ? 'auth is on' : 'auth is off');
      if (!view.enabled) tokens.forgetAll();
      wasEnabled = view.enabled;
    });
  }
}
