import type { Key } from '../../mvcc/types.ts';
import { StatusError } from '../../wire/grpc.ts';
import { refusal } from '../errors.ts';
import type { Access, AuthCall } from './access.ts';

/**
 * What one stream of watches may see. A watch is let in by the call's token, as etcd does; unlike etcd's it ends when
 * its user may no longer read its range, or auth is switched on and it is nobody's. That the token is over meanwhile
 * does not end it.
 */
export class WatchPermits {
  readonly #access: Access;
  readonly #call: AuthCall;
  readonly #unsubscribe: () => void;
  #user: string | undefined;

  /** `recheck`: auth has changed. */
  constructor(access: Access, call: AuthCall, recheck: () => void) {
    this.#access = access;
    this.#call = call;
    this.#unsubscribe = access.onChange(recheck);
  }

  /** Why a watch is not let in, as its cancel reason says it; undefined: it is. */
  refusalOfNew(key: Key, end: Key): string | undefined {
    if (!this.#access.enabled) return undefined;
    return reasonOf(() => {
      const identity = this.#access.identify(this.#call);
      this.#access.mayRead(identity, key, end);
      this.#user = identity?.user;
    });
  }

  /** Why one that was let in must end; undefined: it goes on. */
  refusalOfOld(key: Key, end: Key): string | undefined {
    if (!this.#access.enabled) return undefined;
    return reasonOf(() => {
      // Let in before auth was on: then it counts who it is now.
      this.#user ??= this.#access.identify(this.#call)?.user;
      const identity = this.#user === undefined ? undefined : { user: this.#user, revision: this.#access.revision };
      this.#access.mayRead(identity, key, end);
    });
  }

  end(): void {
    this.#unsubscribe();
  }
}

function reasonOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof StatusError)
      return `rpc error: code = ${CODES[error.code] ?? error.code} desc = ${error.message}`;
    throw error;
  }
}

/** As Go writes them: of the refusals that there can be. */
const CODES: Readonly<Record<number, string>> = Object.fromEntries(
  (
    [
      ['invalidAuthToken', 'Unauthenticated'],
      ['authOldRevision', 'InvalidArgument'],
      ['userEmpty', 'InvalidArgument'],
      ['permissionDenied', 'PermissionDenied'],
    ] as const
  ).map(([name, shown]) => [refusal(name).code, shown]),
);
