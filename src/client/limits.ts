/** The client's numbers, each with its unit. What a user can set is an option (`global-options.ts`). */
export const CLIENT_LIMITS = {
  /** clientv3's: a larger request is refused before it is sent. */
  requestBytesMax: 2 * 1024 * 1024,
  /** grpc-go never pings more often, whatever is asked for, and servers send away who does. */
  keepaliveTimeMsMin: 10_000,
  /** Before a refused connection is tried again. */
  reconnectMsMin: 100,
  reconnectMsMax: 1_000,
  /** Between two tries of a call, or of a watch. */
  retryDelayMs: 100,
  /** A call that only reads is asked at most this often. */
  readTriesMax: 100,
  /** etcdctl's: before a range is deleted from a terminal without --range. */
  rangeDeleteWarningMs: 2_000,
  /** etcd's own: sessions of lock and elect without --ttl. */
  electSessionTtlSeconds: 60,
  /** make-mirror copies in pages of so many keys, as etcd's does. */
  mirrorPageKeysMax: 1_000,
  /** How many of them are written at a time. */
  mirrorPutsAtATimeMax: 32,
  /** Lines of txn and watch -i. */
  inputLineBytesMax: 16 * 1024 * 1024,
  /** A value that is read from standard input; more than any server takes. */
  inputValueBytesMax: 512 * 1024 * 1024,
} as const;
