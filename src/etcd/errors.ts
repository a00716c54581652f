import { ProtobufError } from '../base/protobuf.ts';
import { StoreError, type StoreErrorCode } from '../mvcc/requests.ts';
import { Status, type StatusCode, StatusError } from '../wire/grpc.ts';

/**
 * What etcd says when it says no: status code and exact words, which clients compare with. One table for all of the
 * room. Source: etcd's api/v3rpc/rpctypes and server/etcdserver/api/v3rpc; grpc-go for what it answers by itself.
 */
const texts = {
  emptyKey: [Status.invalidArgument, 'etcdserver: key is not provided'],
  keyNotFound: [Status.invalidArgument, 'etcdserver: key not found'],
  valueProvided: [Status.invalidArgument, 'etcdserver: value is provided'],
  leaseProvided: [Status.invalidArgument, 'etcdserver: lease is provided'],
  tooManyOps: [Status.invalidArgument, 'etcdserver: too many operations in txn request'],
  duplicateKey: [Status.invalidArgument, 'etcdserver: duplicate key given in txn request'],
  invalidSortOption: [Status.invalidArgument, 'etcdserver: invalid sort option'],
  compacted: [Status.outOfRange, 'etcdserver: mvcc: required revision has been compacted'],
  futureRevision: [Status.outOfRange, 'etcdserver: mvcc: required revision is a future revision'],
  noSpace: [Status.resourceExhausted, 'etcdserver: mvcc: database space exceeded'],
  leaseNotFound: [Status.notFound, 'etcdserver: requested lease not found'],
  leaseExists: [Status.failedPrecondition, 'etcdserver: lease already exists'],
  leaseTtlTooLarge: [Status.outOfRange, 'etcdserver: too large lease TTL'],
  watchCanceled: [Status.cancelled, 'etcdserver: watch canceled'],
  memberExists: [Status.failedPrecondition, 'etcdserver: member ID already exist'],
  peerUrlExists: [Status.failedPrecondition, 'etcdserver: Peer URLs already exists'],
  // etcd's table says FailedPrecondition; its server sends Unknown (seen with 3.5.30).
  memberNotEnoughStarted: [Status.unknown, 'etcdserver: re-configuration failed due to not enough started members'],
  memberBadUrls: [Status.invalidArgument, 'etcdserver: given member URLs are invalid'],
  memberNotFound: [Status.notFound, 'etcdserver: member not found'],
  memberNotLearner: [Status.failedPrecondition, 'etcdserver: can only promote a learner member'],
  requestTooLarge: [Status.invalidArgument, 'etcdserver: request is too large'],
  tooManyRequests: [Status.resourceExhausted, 'etcdserver: too many requests'],
  stopped: [Status.unavailable, 'etcdserver: server stopped'],
  timeout: [Status.unavailable, 'etcdserver: request timed out'],
  corrupt: [Status.dataLoss, 'etcdserver: corrupt cluster'],
  badLeaderTransferee: [Status.failedPrecondition, 'etcdserver: bad leader transferee'],
  notCapable: [Status.failedPrecondition, 'etcdserver: not capable'],
  wrongDowngradeVersionFormat: [Status.invalidArgument, 'etcdserver: wrong downgrade target version format'],
  invalidDowngradeTargetVersion: [Status.invalidArgument, 'etcdserver: invalid downgrade target version'],
  noInflightDowngrade: [Status.failedPrecondition, 'etcdserver: no inflight downgrade job'],
  unknownMethod: [Status.unknown, 'etcdserver: unknown method'],
  rootUserNotExist: [Status.failedPrecondition, 'etcdserver: root user does not exist'],
  rootRoleNotExist: [Status.failedPrecondition, 'etcdserver: root user does not have root role'],
  userAlreadyExist: [Status.failedPrecondition, 'etcdserver: user name already exists'],
  userEmpty: [Status.invalidArgument, 'etcdserver: user name is empty'],
  userNotFound: [Status.failedPrecondition, 'etcdserver: user name not found'],
  roleAlreadyExist: [Status.failedPrecondition, 'etcdserver: role name already exists'],
  roleNotFound: [Status.failedPrecondition, 'etcdserver: role name not found'],
  roleEmpty: [Status.invalidArgument, 'etcdserver: role name is empty'],
  authFailed: [Status.invalidArgument, 'etcdserver: authentication failed, invalid user ID or password'],
  // etcd has no status of its own for this one.
  noPasswordUser: [Status.unknown, 'auth: authentication failed, password was given for no password user'],
  permissionNotGiven: [Status.invalidArgument, 'etcdserver: permission not given'],
  permissionDenied: [Status.permissionDenied, 'etcdserver: permission denied'],
  roleNotGranted: [Status.failedPrecondition, 'etcdserver: role is not granted to the user'],
  permissionNotGranted: [Status.failedPrecondition, 'etcdserver: permission is not granted to the role'],
  authNotEnabled: [Status.failedPrecondition, 'etcdserver: authentication is not enabled'],
  invalidAuthToken: [Status.unauthenticated, 'etcdserver: invalid auth token'],
  invalidAuthMgmt: [Status.invalidArgument, 'etcdserver: invalid auth management'],
  authOldRevision: [Status.invalidArgument, 'etcdserver: revision of auth store is old'],
  // Go's bcrypt.
  passwordTooLong: [Status.unknown, 'bcrypt: password length exceeds 72 bytes'],
  rangeStreamSortOrder: [Status.unimplemented, 'RangeStream does not support custom sort orders'],
  rangeStreamRevisionFilters: [Status.unimplemented, 'RangeStream does not support revision filters'],
} as const satisfies Record<string, readonly [StatusCode, string]>;

/** Names of etcd's refusals. */
export type RefusalName = keyof typeof texts;

/** A refusal in etcd's words, to be thrown. */
export function refusal(name: RefusalName, options?: ErrorOptions): StatusError {
  const [code, text] = texts[name];
  return new StatusError(code, text, options);
}

/** Only the words, as they stand in a watch's cancel reason. */
export function refusalText(name: RefusalName): string {
  return texts[name][1];
}

/** The store's codes that etcd has words for. Of the others the detail is told, in kedge's words. */
const storeRefusals: Readonly<Record<StoreErrorCode, RefusalName | StatusCode>> = {
  compacted: 'compacted',
  'future-revision': 'futureRevision',
  'key-not-found': 'keyNotFound',
  'lease-not-found': 'leaseNotFound',
  'lease-exists': 'leaseExists',
  'lease-ttl-too-large': 'leaseTtlTooLarge',
  forbidden: 'permissionDenied',
  'no-space': 'noSpace',
  'too-many-requests': 'tooManyRequests',
  'txn-too-large': 'requestTooLarge',
  stopped: 'stopped',
  corrupt: 'corrupt',
  unavailable: Status.unavailable,
  // Never told: expiring is nobody's request.
  'lease-renewed': Status.unavailable,
  // Whether it was written is not known: Unknown, so that no client tries again by itself.
  ambiguous: Status.unknown,
};

/**
 * Turns what a handler failed with into what the client is told: the one place of this translation.
 * A StatusError stays as it is. Anything that is not expected to happen is thrown on unchanged: the wire reports it.
 */
export function toStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof StoreError) {
    if (error.cause instanceof StatusError) return error.cause;
    const found = storeRefusals[error.code];
    if (typeof found === 'string') return refusal(found, { cause: error });
    return new StatusError(found, `kedge: ${error.message}`, { cause: error });
  }
  if (error instanceof ProtobufError) return undecodable(error);
  throw error;
}

/** The same for those who hand errors on instead of throwing: what is not expected stays as it is, for the wire to report. */
export function translated(error: unknown): unknown {
  try {
    return toStatusError(error);
  } catch (unexpected) {
    return unexpected;
  }
}

/**
 * What grpc-go answers when a unary request is not a message. The prefix is its; what follows differs between
 * versions of Go's protobuf, on purpose.
 */
export function undecodable(error: ProtobufError): StatusError {
  return new StatusError(Status.internal, `grpc: error unmarshalling request: proto: ${error.message}`, {
    cause: error,
  });
}

/** The same for a message of a stream, be it the only one. */
export function undecodableInStream(error: ProtobufError): StatusError {
  return new StatusError(Status.internal, `grpc: failed to unmarshal the received message: proto: ${error.message}`, {
    cause: error,
  });
}
