import {
  type DeleteRequest,
  type Permitted,
  type PutRequest,
  StoreError,
  type TxnOp,
  type TxnRequest,
} from '../../mvcc/requests.ts';
import { type Key, type LeaseId, ONE_KEY } from '../../mvcc/types.ts';
import { refusal } from '../errors.ts';
import { type AuthView, hasRootRole } from './auth-view.ts';
import type { Identity, Tokens } from './tokens.ts';

/** What auth looks at of a call. */
export interface AuthCall {
  readonly metadata: ReadonlyMap<string, string>;
  /** Of the client's certificate, verified. */
  readonly commonName: string | undefined;
}

export interface AccessOptions {
  readonly view: AuthView;
  readonly tokens: Tokens;
  /** The lease's keys; none when there is no such lease. */
  readonly leaseKeys: (id: LeaseId) => readonly Key[];
  /** Whether a certificate's common name is a user's name, as with etcd's --client-cert-auth. */
  readonly commonNames: boolean;
}

/**
 * Who may do what. Each check throws etcd's refusal or returns; all of them are synchronous and look at what this
 * replica has applied. Callers ask `enabled` first: it is a field, and when it is false nothing else is done.
 * Source: etcd's server/etcdserver/apply/auth.go, v3_server.go and server/auth/store.go.
 */
export class Access {
  readonly #view: AuthView;
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#view = options.view;
    this.#options = options;
  }

  get enabled(): boolean {
    return this.#view.enabled;
  }

  /** Auth's, which each of its changes raises. */
  get revision(): number {
    return this.#view.revision;
  }

  /** The listener hears of every change of auth. Answers what stops it. */
  onChange(listener: () => void): () => void {
    return this.#view.onChange(listener);
  }

  /** Whose call it is: by its token, else by its certificate; undefined: nobody's. Throws when the token is none. */
  identify({ metadata, commonName }: AuthCall): Identity | undefined {
    const { tokens, commonNames } = this.#options;
    const token = metadata.get('token') ?? metadata.get('authorization');
    if (token !== undefined) {
      const identity = tokens.identify(token.startsWith(BEARER) ? token.slice(BEARER.length) : token, this.revision);
      if (identity === undefined) throw refusal('invalidAuthToken');
      return identity;
    }
    // A gateway's certificate is not its client's.
    if (!commonNames || commonName === undefined || metadata.has('grpcgateway-accept')) return undefined;
    return { user: commonName, revision: this.revision };
  }

  /** For logs; undefined too when auth is off or the token is none. */
  userOf(call: AuthCall): string | undefined {
    if (!this.enabled) return undefined;
    try {
      return this.identify(call)?.user;
    } catch {
      // Whoever checks the call says so.
      return undefined;
    }
  }

  range(call: AuthCall, key: Key, end: Key): void {
    this.mayRead(this.identify(call), key, end);
  }

  /** Answers the request as it may be written: it is asked for again when it is decided. */
  put(call: AuthCall, request: PutRequest): PutRequest {
    return permitted(request, () => this.#put(this.identify(call), request));
  }

  deleteRange(call: AuthCall, request: DeleteRequest): DeleteRequest {
    return permitted(request, () => this.#delete(this.identify(call), request));
  }

  /** All that it compares and may do in either branch. */
  txn(call: AuthCall, request: TxnRequest): TxnRequest {
    return permitted(request, () => this.#txn(this.identify(call), request));
  }

  /** Somebody's call, whoever it is. */
  known(call: AuthCall): Identity {
    const identity = this.identify(call);
    if (identity === undefined) throw refusal('userEmpty');
    return identity;
  }

  /** Of somebody with the role root. As in etcd the token's revision does not matter. */
  admin(call: AuthCall): void {
    this.mustBeRoot(this.identify(call));
  }

  /** Of somebody with that role, or root. As for `admin` the token's revision does not matter. */
  role(call: AuthCall, role: string | undefined): void {
    const identity = this.identify(call);
    const user = identity === undefined ? undefined : this.#view.user(identity.user);
    if (role === undefined || user?.roles.includes(role) !== true) this.mustBeRoot(identity);
  }

  /** Ends a lease: its keys go with it. */
  leaseRevoke(call: AuthCall, id: LeaseId): void {
    this.#leasePuts(this.known(call), id);
  }

  leaseKeepAlive(call: AuthCall, id: LeaseId): void {
    this.#leasePuts(this.known(call), id);
  }

  leaseTimeToLive(call: AuthCall, id: LeaseId, withKeys: boolean): void {
    const identity = this.known(call);
    if (withKeys) this.#leaseReads(identity, [id]);
  }

  leaseLeases(call: AuthCall, ids: readonly LeaseId[]): void {
    this.#leaseReads(this.known(call), ids);
  }

  mustBeRoot(identity: Identity | undefined): void {
    if (identity === undefined || identity.user === '') throw refusal('userEmpty');
    const user = this.#view.user(identity.user);
    if (user === undefined) throw refusal('userNotFound');
    if (!hasRootRole(user)) throw refusal('permissionDenied');
  }

  mayRead(identity: Identity | undefined, key: Key, end: Key): void {
    this.#check(identity, 'read', key, end);
  }

  #check(identity: Identity | undefined, what: 'read' | 'write', key: Key, end: Key): void {
    if (identity === undefined || identity.revision === 0) throw refusal('userEmpty');
    if (identity.revision < this.revision) throw refusal('authOldRevision');
    const user = this.#view.user(identity.user);
    if (user === undefined) throw refusal('permissionDenied');
    if (hasRootRole(user)) return;
    const permissions = this.#view.permissions(user);
    const isAllowed = what === 'read' ? permissions.mayRead(key, end) : permissions.mayWrite(key, end);
    if (!isAllowed) throw refusal('permissionDenied');
  }

  #put(identity: Identity | undefined, { key, lease, prevKv }: PutRequest): void {
    this.#check(identity, 'write', key, ONE_KEY);
    // Who could not end the lease must not be able to hang a key on it.
    this.#leasePuts(identity, lease);
    if (prevKv) this.#check(identity, 'read', key, ONE_KEY);
  }

  #delete(identity: Identity | undefined, { key, end, prevKv }: DeleteRequest): void {
    this.#check(identity, 'write', key, end);
    if (prevKv) this.#check(identity, 'read', key, end);
  }

  #txn(identity: Identity | undefined, { compare, success, failure }: TxnRequest): void {
    for (const { key, end } of compare) this.#check(identity, 'read', key, end);
    for (const op of success) this.#op(identity, op);
    for (const op of failure) this.#op(identity, op);
  }

  #op(identity: Identity | undefined, op: TxnOp): void {
    if (op.kind === 'range') this.#check(identity, 'read', op.key, op.end);
    else if (op.kind === 'put') this.#put(identity, op);
    else if (op.kind === 'delete') this.#delete(identity, op);
    else this.#txn(identity, op);
  }

  #leasePuts(identity: Identity | undefined, id: LeaseId): void {
    const keys = this.#options.leaseKeys(id);
    if (keys.length === 0 || this.#isRoot(identity)) return;
    for (const key of keys) this.#check(identity, 'write', key, ONE_KEY);
  }

  #leaseReads(identity: Identity, ids: readonly LeaseId[]): void {
    if (this.#isRoot(identity)) return;
    for (const id of ids) {
      for (const key of this.#options.leaseKeys(id)) this.#check(identity, 'read', key, ONE_KEY);
    }
  }

  #isRoot(identity: Identity | undefined): boolean {
    const user = identity === undefined ? undefined : this.#view.user(identity.user);
    return user !== undefined && hasRootRole(user);
  }
}

const BEARER = 'Bearer ';

function permitted<Request extends Permitted>(request: Request, check: () => void): Request {
  check();
  const permit = (): void => {
    try {
      check();
    } catch (error) {
      throw new StoreError('forbidden', 'forbidden meanwhile', { cause: error });
    }
  };
  return { ...request, permit };
}
