import type { InertFlag } from '../base/command.ts';

/**
 * Flags of etcd's own (3.4 to 3.7) that mean nothing here. They are accepted, so that a static pod's manifest or a unit
 * file written for etcd starts kedge unchanged; the log says once which of them have no effect.
 */
const NO_PEERS = 'members find each other by --peer-dns and --peer';
const NO_RAFT = 'there is no Raft log';
const NO_DISCOVERY = 'there is no cluster to discover';
const NO_BOLT = 'the store is not bbolt';
const NO_V2 = 'the v2 API is gone';
const NOT_KEPT = 'kedge has nothing like it';

const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  [NO_PEERS]: [
    'peer-client-cert-auth',
    'peer-auto-tls',
    'peer-skip-client-san-verification',
    'experimental-peer-skip-client-san-verification',
    'strict-reconfig-check',
    'force-new-cluster',
    'socket-reuse-port',
    'socket-reuse-address',
  ],
  [NO_RAFT]: ['pre-vote', 'initial-election-tick-advance'],
  [NO_DISCOVERY]: ['discovery-insecure-transport', 'discovery-insecure-skip-tls-verify'],
  [NO_BOLT]: [
    'memory-mlock',
    'experimental-memory-mlock',
    'experimental-txn-mode-write-with-shared-buffer',
    'experimental-stop-grpc-service-on-defrag',
  ],
  [NO_V2]: ['enable-v2'],
  ['the store checks itself when it opens']: ['experimental-initial-corrupt-check'],
  ['leases are always noted down']: [
    'experimental-enable-lease-checkpoint',
    'experimental-enable-lease-checkpoint-persist',
  ],
  ['every answer waits for the disk; see --store']: ['unsafe-no-fsync'],
  [NOT_KEPT]: [
    'enable-pprof',
    'enable-log-rotation',
    'enable-distributed-tracing',
    'experimental-enable-distributed-tracing',
    'experimental-compact-hash-check-enabled',
    'debug',
  ],
};

const WITH_VALUE: Readonly<Record<string, readonly string[]>> = {
  [NO_PEERS]: [
    'listen-peer-urls',
    'initial-advertise-peer-urls',
    'initial-cluster',
    'initial-cluster-state',
    'initial-cluster-token',
    'peer-client-cert-file',
    'peer-client-key-file',
    'peer-crl-file',
    'peer-cert-allowed-cn',
    'max-learners',
    'compact-hash-check-time',
    'corrupt-check-time',
    'experimental-corrupt-check-time',
    'experimental-compact-hash-check-time',
    'downgrade-check-time',
    'experimental-downgrade-check-time',
  ],
  [NO_RAFT]: [
    'wal-dir',
    'snapshot-count',
    'snapshot-catchup-entries',
    'experimental-snapshot-catchup-entries',
    'heartbeat-interval',
    'election-timeout',
    'max-snapshots',
    'max-wals',
    'raft-read-timeout',
    'raft-write-timeout',
  ],
  [NO_DISCOVERY]: [
    'discovery',
    'discovery-fallback',
    'discovery-proxy',
    'discovery-srv',
    'discovery-srv-name',
    'discovery-endpoints',
    'discovery-token',
    'discovery-user',
    'discovery-password',
    'discovery-cert',
    'discovery-key',
    'discovery-cacert',
    'discovery-dial-timeout',
    'discovery-request-timeout',
    'discovery-keepalive-time',
    'discovery-keepalive-timeout',
  ],
  [NO_BOLT]: [
    'backend-bbolt-freelist-type',
    'experimental-backend-bbolt-freelist-type',
    'backend-batch-interval',
    'backend-batch-limit',
    'bootstrap-defrag-threshold-megabytes',
    'experimental-bootstrap-defrag-threshold-megabytes',
  ],
  [NO_V2]: ['v2-deprecation', 'experimental-enable-v2v3', 'proxy', 'proxy-failure-wait', 'proxy-refresh-interval'],
  ['compaction paces itself']: [
    'compaction-batch-limit',
    'experimental-compaction-batch-limit',
    'compaction-sleep-interval',
    'experimental-compaction-sleep-interval',
  ],
  ['the gateway calls nobody over the network']: ['client-cert-file', 'client-key-file'],
  [NOT_KEPT]: [
    'metrics',
    'logger',
    'log-package-levels',
    'log-rotation-config-json',
    'warning-apply-duration',
    'experimental-warning-apply-duration',
    'distributed-tracing-address',
    'experimental-distributed-tracing-address',
    'distributed-tracing-service-name',
    'experimental-distributed-tracing-service-name',
    'distributed-tracing-instance-id',
    'experimental-distributed-tracing-instance-id',
    'distributed-tracing-sampling-rate',
    'experimental-distributed-tracing-sampling-rate',
    'feature-gates',
  ],
};

export const ETCD_FLAGS: readonly InertFlag[] = [...inert(SWITCHES, true), ...inert(WITH_VALUE, false)];

function inert(table: Readonly<Record<string, readonly string[]>>, isSwitch: boolean): InertFlag[] {
  return Object.entries(table).flatMap(([reason, flags]) =>
    flags.map((flag) => ({ flag, isSwitch, reason, refused: false })),
  );
}
