import {
  bytes,
  choice,
  duration,
  flag,
  integer,
  list,
  type OptionKind,
  type OptionValues,
  option,
  text,
} from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import { checkPeerOptions, PEER_OPTIONS } from '../peers/options.ts';
import { RESOURCES_ROOT } from '../resources/resources-root.ts';
import { AUTH_OPTIONS } from './auth-options.ts';
import { parseRetention, type Retention } from './auto-compaction.ts';
import { BACKUP_OPTIONS } from './backup-options.ts';
import { LIMITS } from './limits.ts';
import { listenUrl } from './listen-url.ts';
import { STORE_LOCATION } from './store-location.ts';
import { checkTlsOptions, TLS_OPTIONS } from './tls-options.ts';

const WHERE = 'Where it listens';
const STORE = 'Where the data is';
const HISTORY = 'How much history is kept';
const REQUESTS = 'What a request may ask';
const GATEWAY = 'HTTP and JSON';
const CONNECTIONS = 'Connections';
const LOGS = 'Logs';
const LIFE = 'Start and stop';

/** As etcd's: any negative number means no quota. */
const quota: OptionKind<number> = {
  ...bytes(),
  parse: (written) => (/^-\d+$/.test(written) ? -1 : bytes().parse(written)),
};

/** What `kedge serve` can be told. Names are etcd's where etcd has the option. */
export const SERVE_OPTIONS = {
  listenClientUrls: option(list(listenUrl), {
    flag: 'listen-client-urls',
    default: [listenUrl.parse('http://127.0.0.1:2379')],
    group: WHERE,
    help: 'where clients connect, gRPC and HTTP alike: http://, https://, unix:///path/to/socket, unixs://',
  }),
  advertiseClientUrls: option(list(text('url')), {
    flag: 'advertise-client-urls',
    default: [],
    defaultText: 'as --listen-client-urls',
    group: WHERE,
    help: 'what member lists tell clients',
  }),
  listenMetricsUrls: option(list(listenUrl), {
    flag: 'listen-metrics-urls',
    default: [],
    defaultText: 'none',
    group: WHERE,
    help: 'more places for /metrics and the health endpoints alone',
  }),
  name: option(text('name'), {
    flag: 'name',
    default: 'default',
    group: WHERE,
    help: "this member's name in member lists",
  }),

  ...TLS_OPTIONS,

  ...STORE_LOCATION,
  quotaBackendBytes: option(quota, {
    flag: 'quota-backend-bytes',
    default: LIMITS.quotaBytes,
    group: STORE,
    help: 'size of the data above which writes are refused (NOSPACE) until space is made; 0: the default, -1: none',
  }),
  valueCacheBytes: option(bytes(LIMITS.valueCacheBytesMin, LIMITS.valueCacheBytesMax), {
    flag: 'value-cache-bytes',
    default: LIMITS.valueCacheBytes,
    defaultText: 'a 16th of the memory, 64MiB to 512MiB',
    group: STORE,
    help: 'memory for values; what is not in it is read from the disk',
  }),

  autoCompactionMode: option(choice('periodic', 'revision'), {
    flag: 'auto-compaction-mode',
    default: 'periodic',
    group: HISTORY,
    help: 'whether --auto-compaction-retention is a time or a number of revisions',
  }),
  autoCompactionRetention: option(text('n|duration'), {
    flag: 'auto-compaction-retention',
    default: '0',
    defaultText: '0: never',
    group: HISTORY,
    help: 'how much history to keep: 5m, 24 (hours), or with mode revision 10000',
  }),
  compactMinRetain: option(integer(0), {
    flag: 'compact-min-retain',
    default: 0,
    defaultText: '0: not said',
    group: HISTORY,
    help: "kine's name: as --auto-compaction-mode revision with so many revisions",
  }),
  compactInterval: option(duration(LIMITS.compactIntervalMinMs), {
    flag: 'compact-interval',
    default: LIMITS.compactIntervalMs,
    group: HISTORY,
    help: "kine's name: how often mode revision compacts",
  }),
  compactBatchSize: option(integer(LIMITS.compactBatchRowsMin, LIMITS.compactBatchRowsMax), {
    flag: 'compact-batch-size',
    default: LIMITS.compactBatchRows,
    group: HISTORY,
    help: "kine's name: the most superseded rows that one step of a compaction takes away",
  }),

  pinPrefix: option(list(text('prefix')), {
    flag: 'pin-prefix',
    default: [],
    defaultText: 'none',
    group: STORE,
    help: 'values of keys that begin so stay in memory for good, such as /registry/services/endpoints/',
  }),
  checkInterval: option(duration(), {
    flag: 'check-interval',
    default: 0,
    defaultText: '0: never',
    group: STORE,
    help: 'how often the store checks itself against its log, as kedge check does; 1h is often enough',
  }),

  enableGrpcGateway: option(flag, {
    flag: 'enable-grpc-gateway',
    default: true,
    group: GATEWAY,
    help: 'answer gRPC in JSON under /v3/',
  }),
  cors: option(list(text('origin')), {
    flag: 'cors',
    default: ['*'],
    group: GATEWAY,
    help: 'origins whose web pages may read answers',
  }),
  hostWhitelist: option(list(text('name')), {
    flag: 'host-whitelist',
    default: ['*'],
    group: GATEWAY,
    help: 'host names under which plain-text HTTP clients may address this server',
  }),
  ...BACKUP_OPTIONS,

  maxRequestBytes: option(bytes(1, LIMITS.requestBytesMax), {
    flag: 'max-request-bytes',
    default: LIMITS.requestBytes,
    group: REQUESTS,
    help: 'the largest request',
  }),
  maxTxnOps: option(integer(1, LIMITS.txnOpsMax), {
    flag: 'max-txn-ops',
    default: LIMITS.txnOps,
    group: REQUESTS,
    help: 'the most operations in one transaction',
  }),
  watchProgressNotifyInterval: option(duration(LIMITS.watchProgressIntervalMinMs), {
    flag: 'watch-progress-notify-interval',
    aliases: ['experimental-watch-progress-notify-interval'],
    default: LIMITS.watchProgressIntervalMs,
    group: REQUESTS,
    help: 'how often an idle watch that asked for it is told the revision',
  }),

  clientRequestsPerSecond: option(integer(0, LIMITS.clientRequestsPerSecondMax), {
    flag: 'client-requests-per-second',
    default: 0,
    defaultText: '0: no limit',
    group: REQUESTS,
    help: 'how many requests one client (its certificate, else its address) may send a second; twice that after a pause',
  }),
  clientRequestsInFlight: option(integer(0, LIMITS.clientInFlightMax), {
    flag: 'client-requests-in-flight',
    default: 0,
    defaultText: '0: no limit',
    group: REQUESTS,
    help: 'how many requests of one client may be under way, streams apart',
  }),

  maxConcurrentStreams: option(integer(1, 2 ** 32 - 1), {
    flag: 'max-concurrent-streams',
    default: LIMITS.streams,
    group: CONNECTIONS,
    help: 'calls and watches at a time on one connection',
  }),
  maxConnections: option(integer(1, LIMITS.connectionsMax), {
    flag: 'max-connections',
    default: LIMITS.connections,
    group: CONNECTIONS,
    help: 'connections at a time; more are closed at once',
  }),
  grpcKeepaliveMinTime: option(duration(), {
    flag: 'grpc-keepalive-min-time',
    default: LIMITS.keepaliveMinTimeMs,
    group: CONNECTIONS,
    help: 'clients that ping more often than this are sent away',
  }),
  grpcKeepaliveInterval: option(duration(), {
    flag: 'grpc-keepalive-interval',
    default: LIMITS.keepaliveIntervalMs,
    group: CONNECTIONS,
    help: 'a connection silent this long is pinged; 0: never',
  }),
  grpcKeepaliveTimeout: option(duration(), {
    flag: 'grpc-keepalive-timeout',
    default: LIMITS.keepaliveTimeoutMs,
    group: CONNECTIONS,
    help: 'a ping unanswered this long ends the connection; 0: never',
  }),

  ...PEER_OPTIONS,
  ...AUTH_OPTIONS,

  logLevel: option(choice('debug', 'info', 'warn', 'error', 'panic', 'fatal'), {
    flag: 'log-level',
    default: 'info',
    group: LOGS,
    help: 'the least that is logged: debug, info, warn, error',
  }),
  logFormat: option(choice('console', 'json'), {
    flag: 'log-format',
    default: 'console',
    group: LOGS,
    help: 'for people, or one JSON object a line',
  }),
  auditLog: option(text('path'), {
    flag: 'audit-log',
    default: '',
    defaultText: 'none',
    group: LOGS,
    help: 'a file for who asked what, one JSON object a line: keys, never values',
  }),
  slowRequest: option(duration(), {
    flag: 'slow-request',
    aliases: ['warning-unary-request-duration', 'experimental-warning-unary-request-duration'],
    default: 0,
    defaultText: '0: never',
    group: LOGS,
    help: 'requests that take this long are logged, with where their time went',
  }),
  logOutputs: option(list(text('output')), {
    flag: 'log-outputs',
    default: ['stderr'],
    group: LOGS,
    help: 'stderr, stdout or paths of files',
  }),

  resourcesRoot: RESOURCES_ROOT,
  shutdownGrace: option(duration(), {
    flag: 'shutdown-grace',
    default: LIMITS.shutdownGraceMs,
    group: LIFE,
    help: 'on SIGTERM, how long calls under way may take to finish',
  }),
  quiet: option(flag, {
    flag: 'quiet',
    default: false,
    group: LIFE,
    help: 'without the lines about how to connect',
  }),
} as const;

export type ServeOptions = OptionValues<typeof SERVE_OPTIONS>;

/** What no single option can see. Throws UsageError. */
export function checkServeOptions(options: ServeOptions): void {
  if (options.listenClientUrls.length === 0) throw new UsageError('--listen-client-urls: at least one URL is needed');
  checkTlsOptions(options, options.listenClientUrls, options.listenMetricsUrls);
  retentionOf(options);
  checkPeerOptions(options);
}

/** How much history is kept, by etcd's flags or else by kine's. Throws UsageError. */
export function retentionOf(options: ServeOptions): Retention {
  const retention = parseRetention(options.autoCompactionMode, options.autoCompactionRetention);
  const { compactMinRetain } = options;
  if (compactMinRetain === 0) return retention;
  if (retention.mode === 'off') return { mode: 'revision', revisions: compactMinRetain };
  throw new UsageError('--compact-min-retain and --auto-compaction-retention say the same: give one of them');
}
