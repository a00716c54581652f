import type { Records } from '../../mvcc/records.ts';
import {
  AUTH_PREFIX,
  type AuthState,
  decodeRole,
  decodeState,
  decodeUser,
  latin1,
  ROLE_PREFIX,
  ROOT,
  type Role,
  roleName,
  STATE_RECORD,
  USER_PREFIX,
  type User,
  userName,
} from './auth-records.ts';
import { RangePermissions } from './range-permissions.ts';

/** Where auth keeps what it keeps: the store's records. */
export interface AuthRecords {
  readonly records: Pick<Records, 'get' | 'list'>;
  /** The listener hears the name of each record that changes, after it has. */
  onRecord(listener: (name: string) => void): void;
}

/**
 * Users, roles and what they may do, as this replica has applied it: decoded once, when it is first asked for, until
 * something of it changes. `enabled` is a field, because every request looks at it.
 */
export class AuthView {
  enabled = false;
  readonly #store: AuthRecords;
  readonly #users = new Map<string, User>();
  readonly #permissions = new Map<string, RangePermissions>();
  readonly #listeners = new Set<() => void>();
  readonly #passwordListeners: ((user: string) => void)[] = [];
  /** By user record: to see which change is one of the password. */
  readonly #passwords = new Map<string, string>();
  #state: AuthState;

  constructor(store: AuthRecords) {
    this.#store = store;
    this.#state = decodeState(this.stateValue);
    this.enabled = this.#state.enabled;
    for (const user of this.users()) this.#passwords.set(userName(user.name), latin1(user.password));
    store.onRecord((name) => this.#onRecord(name));
  }

  get revision(): number {
    return this.#state.revision;
  }

  get state(): AuthState {
    return this.#state;
  }

  /** What the state's record is: the guard of the next change. */
  get stateValue(): Uint8Array | undefined {
    return this.#store.records.get(STATE_RECORD);
  }

  user(name: string): User | undefined {
    const known = this.#users.get(name);
    if (known !== undefined) return known;
    const value = this.#store.records.get(userName(name));
    if (value === undefined) return undefined;
    const user = decodeUser(value);
    this.#users.set(name, user);
    return user;
  }

  role(name: string): Role | undefined {
    const value = this.#store.records.get(roleName(name));
    return value === undefined ? undefined : decodeRole(value);
  }

  /** In the order of their names' bytes. */
  users(): User[] {
    return this.#store.records.list(USER_PREFIX).map(({ value }) => decodeUser(value));
  }

  roles(): Role[] {
    return this.#store.records.list(ROLE_PREFIX).map(({ value }) => decodeRole(value));
  }

  permissions(user: User): RangePermissions {
    let found = this.#permissions.get(user.name);
    if (found === undefined) {
      found = new RangePermissions(user.roles.flatMap((role) => this.role(role)?.permissions ?? []));
      this.#permissions.set(user.name, found);
    }
    return found;
  }

  /** The listener hears of every change, when all of it is there. Answers what stops it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The listener hears whose password has changed, and who is gone. */
  onPassword(listener: (user: string) => void): void {
    this.#passwordListeners.push(listener);
  }

  #notePassword(record: string): void {
    const value = this.#store.records.get(record);
    const user = value === undefined ? undefined : decodeUser(value);
    const before = this.#passwords.get(record);
    if (user === undefined) this.#passwords.delete(record);
    else this.#passwords.set(record, latin1(user.password));
    if (before === undefined || before === this.#passwords.get(record)) return;
    const name = Buffer.from(record.slice(USER_PREFIX.length), 'latin1').toString();
    for (const listener of this.#passwordListeners) listener(name);
  }

  /** A change's records come one by one, the state's last. */
  #onRecord(name: string): void {
    if (!name.startsWith(AUTH_PREFIX)) return;
    this.#users.clear();
    this.#permissions.clear();
    if (name.startsWith(USER_PREFIX)) this.#notePassword(name);
    if (name !== STATE_RECORD) return;
    this.#state = decodeState(this.stateValue);
    this.enabled = this.#state.enabled;
    for (const listener of [...this.#listeners]) listener();
  }
}

export function hasRootRole(user: User): boolean {
  return user.roles.includes(ROOT);
}
