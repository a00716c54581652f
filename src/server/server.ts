import { join } from 'node:path';
import { adminHandler } from '../admin/admin.ts';
import { authFamilies } from '../admin/auth-families.ts';
import { backupFamilies } from '../admin/backup-families.ts';
import { dutyFamilies } from '../admin/duty-families.ts';
import type { Family } from '../admin/exposition.ts';
import { type Front, front } from '../admin/front.ts';
import { grpcFamilies } from '../admin/grpc-families.ts';
import { type GuardCells, guardFamilies } from '../admin/guard-families.ts';
import { Health } from '../admin/health.ts';
import { Metrics } from '../admin/metrics.ts';
import { serverFamilies } from '../admin/server-families.ts';
import { etcdStoreFamilies, kedgeStoreFamilies } from '../admin/store-families.ts';
import type { Random } from '../base/chance.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { Auth } from '../etcd/auth/auth.ts';
import { guardedPages } from '../etcd/auth/page-guard.ts';
import { guarded } from '../etcd/call-guard.ts';
import { ClientLimits } from '../etcd/client-limits.ts';
import { Gateway } from '../etcd/gateway/gateway.ts';
import { HealthService } from '../etcd/health.ts';
import { OpenStreams } from '../etcd/open-streams.ts';
import { etcdServices } from '../etcd/services.ts';
import { CLUSTER_VERSION, ETCD_VERSION } from '../etcd/version.ts';
import { shownStoreUrl } from '../log/shared/store-url.ts';
import type { Duty } from '../mvcc/duty.ts';
import type { ReloadingStore } from '../mvcc/reloading-store.ts';
import { toStoreError } from '../mvcc/store-error.ts';
import { readBootId } from '../resources/boot-id.ts';
import type { ServiceTable } from '../wire/grpc.ts';
import type { HttpHandler } from '../wire/http.ts';
import { WireServer } from '../wire/server.ts';
import { WireStats } from '../wire/stats.ts';
import { AuditLog } from './audit-log.ts';
import { tokensFor } from './auth-token.ts';
import { AutoCompaction } from './auto-compaction.ts';
import { autoTls } from './auto-tls.ts';
import { Backups } from './backups.ts';
import { checkFamilies } from './check-families.ts';
import { checkPage } from './check-page.ts';
import { databaseFamilies } from './database-families.ts';
import { LIMITS } from './limits.ts';
import { listenAt } from './listen.ts';
import { formatListenUrl, isLoopback, type ListenUrl } from './listen-url.ts';
import { LoadProgress } from './load-progress.ts';
import { type Database, type OpenedStore, storeFor } from './open-store.ts';
import { retentionOf, type ServeOptions } from './options.ts';
import { ThreadPasswords } from './passwords/thread-passwords.ts';
import { joinPeers } from './peer-joining.ts';
import { joinResources } from './resource-joining.ts';
import { SeenRevision } from './seen-revision.ts';
import { SlowRequests } from './slow-requests.ts';
import { StoreChecks } from './store-checks.ts';
import { storeUrlOf } from './store-location.ts';
import { TlsFiles } from './tls-files.ts';
import { wireLimits } from './wire-limits.ts';

/**
 * How the rooms are joined. Read from the bottom up when something starts, from the top down when something is asked:
 *
 *     clients ─▶ WireServer ─┬─ gRPC ─▶ etcdServices ─▶ Store ─▶ Log (by the --store URL)
 *                            └─ HTTP ─▶ adminHandler ─────┘ ▲ ▲
 *                                          AutoCompaction ──┘ │
 *     other members ─▶ Peers ──────────────────── joinPeers ──┘
 *
 * start: the log opens (and takes its lock), the store loads, then and only then somebody listens.
 * stop:  nobody new is let in, calls under way finish, the store empties its queue, the log closes.
 */
export class Server {
  readonly #context: ServerContext;
  #stopping: Promise<void> | undefined;
  #guardCells: GuardCells = { auditDropped: () => 0, requestsLimited: () => 0 };
  readonly #stops: (() => Promise<void> | void)[] = [];

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** Rejects with a Failure or a LogError that says what is in the way; then everything is let go of again. */
  async start(): Promise<Started> {
    try {
      return await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Idempotent. Waits for calls under way, --shutdown-grace at most. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    for (let stop = this.#stops.pop(); stop !== undefined; stop = this.#stops.pop()) await stop();
  }

  async #start(): Promise<Started> {
    const { options, clock, random, logger } = this.#context;
    const storeUrl = storeUrlOf(options);
    const quotaBytes = options.quotaBackendBytes === 0 ? LIMITS.quotaBytes : options.quotaBackendBytes;
    const { store, database, onCommit, onAppend } = await this.#openStore(storeUrl, quotaBytes);

    const health = new HealthService();
    const openStreams = new OpenStreams();
    const listening = options.listenClientUrls.map(formatListenUrl);
    const clientUrls = options.advertiseClientUrls.length > 0 ? options.advertiseClientUrls : listening;
    const bootId = await readBootId(options.resourcesRoot);
    const joined = joinPeers({ ...this.#context, store, onCommit, onAppend, database, clientUrls, bootId });
    if (joined !== undefined) this.#stops.push(() => joined.stop());
    await joined?.start();
    const auth = this.#auth(store);
    const api = etcdServices({
      store,
      auth,
      clock,
      random,
      health,
      openStreams,
      maxRequestBytes: options.maxRequestBytes,
      requestOverheadBytes: LIMITS.requestOverheadBytes,
      maxTxnOps: options.maxTxnOps,
      quotaBytes,
      watchProgressNotifyIntervalMs: options.watchProgressNotifyInterval,
      watchStreams: store.stats.watches.streams,
      memberName: options.name,
      peerUrls: joined?.peerUrls() ?? [PEER_URL],
      clientUrls,
      ...(joined === undefined ? {} : { otherMembers: joined.otherMembers }),
    });
    const services = await this.#guarded(api, auth);
    const stats = new WireStats(services);
    const checks = new StoreChecks({ store, clock, logger, intervalMs: options.checkInterval });
    checks.start();
    this.#stops.push(() => checks.stop());
    const backups = await this.#startBackups(store);
    const families = [...(joined?.families ?? []), ...authFamilies(auth.access)];
    const admin = this.#adminHandler(store, database, checks, stats, quotaBytes, backups, families);

    const resources = joinResources({ ...this.#context, memberId: store.memberId, peers: joined?.peers });
    const pages = guardedPages({ resources, check: checkPage(checks, store), ...joined?.pages }, auth.access);
    const { cors, hostWhitelist } = options;
    const gateway = options.enableGrpcGateway ? this.#gateway(services, stats) : undefined;
    const clients = this.#wireServer(services, front({ admin, pages, gateway, cors, hostWhitelist }), stats);
    // Long streams would keep the drain waiting: they are told to go elsewhere.
    this.#stops.push(() => {
      health.setServing(false);
      openStreams.endAll();
      joined?.drain();
    });
    const tls = await this.#tlsFiles();
    const bound = await this.#listen(clients, options.listenClientUrls, 'listen-client-urls', tls);
    if (options.listenMetricsUrls.length > 0) {
      const onlyAdmin = front({ admin, gateway: undefined, cors, hostWhitelist });
      const probes = this.#wireServer(new Map(), onlyAdmin, new WireStats(new Map()));
      await this.#listen(probes, options.listenMetricsUrls, 'listen-metrics-urls', tls);
    }
    const { revision, keys, totalBytes } = await store.status();
    return { listening: bound, store: shownStoreUrl(storeUrl), revision, keys, totalBytes };
  }

  #auth(store: ReloadingStore): Auth {
    const { options, clock, logger } = this.#context;
    const passwords = new ThreadPasswords(options.bcryptCost);
    this.#stops.push(() => passwords.stop());
    const tokens = tokensFor(options.authToken, options.authTokenTtl * 1000, clock);
    return new Auth({ store, tokens, passwords, commonNames: options.clientCertAuth, clock, logger });
  }

  async #openStore(storeUrl: string, quotaBytes: number): Promise<OpenedStore> {
    const { options, clock, logger } = this.#context;
    const progress = new LoadProgress(clock, logger);
    const opened = await storeFor(storeUrl, quotaBytes, this.#context);
    const { store } = opened;
    this.#stops.push(() => store.stop());
    await store.start((rows, rowsTotal) => progress.note(rows, rowsTotal));
    progress.done();
    if (opened.database !== undefined) {
      const seen = new SeenRevision(join(options.dataDir, 'seen-revision.json'), { store, clock, logger });
      await seen.start();
      this.#stops.push(() => seen.stop());
    }

    const compaction = new AutoCompaction({
      store,
      clock,
      logger,
      retention: retentionOf(options),
      intervalMs: options.compactInterval,
    });
    compaction.start();
    this.#stops.push(() => compaction.stop());
    return opened;
  }

  /** By --backup-dir; undefined without. */
  async #startBackups(store: ReloadingStore): Promise<Backups | undefined> {
    const { options, clock, logger } = this.#context;
    const { backupDir: folder, backupInterval: intervalMs, backupKeep: keep } = options;
    if (folder === '') return undefined;
    const addDuty = (duty: Duty) => store.addDuty(duty);
    const { backupRetryMs: retryMs } = LIMITS;
    const backups = new Backups({ folder, intervalMs, keep, retryMs, store, addDuty, clock, logger });
    this.#stops.push(() => backups.stop());
    await backups.start();
    return backups;
  }

  #adminHandler(
    store: ReloadingStore,
    database: Database | undefined,
    checks: StoreChecks,
    wire: WireStats,
    quotaBytes: number,
    backups: Backups | undefined,
    more: readonly Family[],
  ): HttpHandler {
    const health = new Health(store, database);
    const facts = {
      etcdVersion: ETCD_VERSION,
      clusterVersion: CLUSTER_VERSION,
      kedgeVersion: this.#context.version,
      memberId: store.memberId,
      quotaBytes,
    };
    const cells = {
      store: store.stats,
      watchLagRevisions: () => store.watchLagRevisions(),
    };
    const families = [
      ...serverFamilies(facts, health.stats),
      ...etcdStoreFamilies(cells),
      ...grpcFamilies(wire),
      ...kedgeStoreFamilies(cells),
      ...dutyFamilies({ stats: store.stats.duties, states: () => store.dutyStates() }),
      ...checkFamilies(checks.stats),
      ...(database === undefined ? [] : databaseFamilies(database.stats, () => database.lastHealth)),
      ...guardFamilies(this.#guardCells),
      ...(backups === undefined ? [] : backupFamilies(backups.stats)),
      ...more,
    ];
    const metrics = new Metrics(families, async () => {
      await Promise.all([database?.health(), store.refreshDuties()]);
      // Brings the sizes up to date; when that fails the others are all the more of interest.
      await store.status().catch((error: unknown) => void toStoreError(error));
    });
    return adminHandler({ health, metrics, etcdVersion: ETCD_VERSION, clusterVersion: CLUSTER_VERSION });
  }

  async #listen(
    server: WireServer,
    urls: readonly ListenUrl[],
    flag: string,
    tls: TlsFiles | undefined,
  ): Promise<string[]> {
    const { logger } = this.#context;
    const bound: string[] = [];
    for (const url of urls) {
      const at = await listenAt(server, url, flag, tls);
      bound.push(formatListenUrl(at));
      if (at.tls || isLoopback(at) || flag !== 'listen-client-urls') continue;
      logger.warn('plain text beyond this machine: whoever reaches this address may read and change everything', {
        url: formatListenUrl(at),
      });
    }
    return bound;
  }

  /** undefined: nobody asks for TLS. */
  async #tlsFiles(): Promise<TlsFiles | undefined> {
    const { options, clock, logger } = this.#context;
    const urls = [...options.listenClientUrls, ...options.listenMetricsUrls];
    if (!urls.some(({ tls }) => tls)) return undefined;
    if (options.certFile !== '' || !options.autoTls) return new TlsFiles(options, logger);
    const { dataDir, selfSignedCertValidity: years } = options;
    return new TlsFiles({ ...options, ...(await autoTls({ dataDir, years, urls, clock, logger })) }, logger);
  }

  /** Limits and logs around the API, as far as they are asked for. */
  async #guarded(api: ServiceTable, { access }: Auth): Promise<ServiceTable> {
    const { options, clock, logger } = this.#context;
    const { clientRequestsPerSecond, clientRequestsInFlight, auditLog, slowRequest } = options;
    const log = auditLog === '' ? undefined : await AuditLog.open(auditLog, clock, logger);
    if (log !== undefined) this.#stops.push(() => log.close());
    const isLimited = clientRequestsPerSecond > 0 || clientRequestsInFlight > 0;
    const limits = isLimited
      ? new ClientLimits({ requestsPerSecondMax: clientRequestsPerSecond, inFlightMax: clientRequestsInFlight, clock })
      : undefined;
    this.#guardCells = { auditDropped: () => log?.dropped ?? 0, requestsLimited: () => limits?.refused ?? 0 };
    return guarded(api, {
      clock,
      limits,
      audit: log && ((record) => log.write(record)),
      userOf: (call) => access.userOf(call),
      slow: slowRequest > 0 ? new SlowRequests(slowRequest, clock, logger) : undefined,
    });
  }

  #gateway(services: ServiceTable, { methods: stats }: WireStats): Gateway {
    const { options, clock } = this.#context;
    const { requestBytesMax, httpBodyBytesMax } = wireLimits(options);
    return new Gateway({
      lookup: (path) => services.get(path),
      clock,
      stats,
      requestBytesMax,
      jsonBytesMax: httpBodyBytesMax,
      onDefect: (path, error) => this.#context.onDefect(path, error),
    });
  }

  #wireServer(services: ServiceTable, { http, httpStreams }: Front, stats: WireStats): WireServer {
    const { options, clock, logger } = this.#context;
    const server = new WireServer({
      services,
      http,
      httpStreams,
      limits: wireLimits(options),
      clock,
      logger,
      stats,
      onHandlerError: (path, error) => this.#context.onDefect(path, error),
    });
    this.#stops.push(() => server.drain(options.shutdownGrace));
    return server;
  }
}

/** What member lists say without peers, as a one-member etcd with its defaults would; nobody listens there. */
const PEER_URL = 'http://localhost:2380';

export interface ServerContext {
  readonly options: ServeOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** kedge's own. */
  readonly version: string;
  /** A handler threw what no handler should. */
  onDefect(where: string, error: unknown): void;
}

/** What there is to tell once it serves. */
export interface Started {
  /** As bound: port 0 has become a port. */
  readonly listening: readonly string[];
  readonly store: string;
  readonly revision: number;
  readonly keys: number;
  readonly totalBytes: number;
}
