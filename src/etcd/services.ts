import type { Clock } from '../base/clock.ts';
import type { Gauge } from '../base/metrics.ts';
import type { StoreApi } from '../mvcc/api.ts';
import type { RangeRequest } from '../mvcc/requests.ts';
import { ONE_KEY } from '../mvcc/types.ts';
import type { Method, ServiceTable } from '../wire/grpc.ts';
import type { Auth } from './auth/auth.ts';
import { authService } from './auth/auth-service.ts';
import { guardedMethods } from './auth/guarded-methods.ts';
import { clusterService, type OtherMember } from './cluster.ts';
import { electionService } from './election.ts';
import { HeaderCodec } from './header.ts';
import type { HealthService } from './health.ts';
import { kvService } from './kv.ts';
import { leaseService } from './lease.ts';
import { lockService } from './lock.ts';
import { maintenanceService } from './maintenance.ts';
import type { OpenStreams } from './open-streams.ts';
import { reflectionService } from './reflection.ts';
import { watchService } from './watch.ts';

/** Everything that the API needs to know; every number comes in here. */
export interface EtcdServicesOptions {
  /** Started: its ids are known. */
  readonly store: StoreApi;
  readonly clock: Clock;
  /** 0 inclusive to 1 exclusive. */
  readonly random: () => number;
  readonly health: HealthService;
  /** Holds the calls that end only when told to: `endAll` before the wire drains. */
  readonly openStreams: OpenStreams;
  /** Default of etcd: 1.5 MiB. */
  readonly maxRequestBytes: number;
  /** On top of it for what encloses a payload; etcd: 512 KiB. */
  readonly requestOverheadBytes: number;
  /** Default of etcd: 128. */
  readonly maxTxnOps: number;
  /** As Status tells it; the store keeps to it. */
  readonly quotaBytes: number;
  /** Default of etcd: 10 minutes. */
  readonly watchProgressNotifyIntervalMs: number;
  /** Counts open watch streams. */
  readonly watchStreams?: Gauge;
  /** As etcd's --name. */
  readonly memberName: string;
  readonly peerUrls: readonly string[];
  /** As etcd's --advertise-client-urls. */
  readonly clientUrls: readonly string[];
  /** Other members of the store; none when absent. */
  readonly otherMembers?: () => readonly OtherMember[];
  /** undefined: no Auth service, and everybody may do everything. */
  readonly auth?: Auth;
}

/**
 * The etcd API as one table for the wire. A path that is not in it is answered there:
 * Unimplemented, "unknown service …", as grpc-go does.
 */
export function etcdServices(options: EtcdServicesOptions): ServiceTable {
  const { store, clock, random, openStreams, maxRequestBytes, maxTxnOps } = options;
  const header = new HeaderCodec(store.clusterId, store.memberId);
  const { auth } = options;
  const access = auth === undefined ? {} : { access: auth.access };
  const methods: readonly (readonly [path: string, method: Method])[] = [
    ...kvService({ store, header, maxRequestBytes, maxTxnOps, ...access }),
    ...watchService({
      store,
      header,
      clock,
      random,
      progressNotifyIntervalMs: options.watchProgressNotifyIntervalMs,
      fragmentBytes: maxRequestBytes + options.requestOverheadBytes,
      open: openStreams,
      ...access,
      ...(options.watchStreams === undefined ? {} : { streams: options.watchStreams }),
    }),
    ...leaseService({ store, header, open: openStreams, ...access }),
    ...clusterService({
      header,
      memberName: options.memberName,
      peerUrls: options.peerUrls,
      clientUrls: options.clientUrls,
      ...(options.otherMembers === undefined ? {} : { others: options.otherMembers }),
    }),
    ...maintenanceService({ store, header, quotaBytes: options.quotaBytes }),
    ...options.health.methods(openStreams),
  ];
  const table = new Map(auth === undefined ? methods : guardedMethods(methods, auth.access));
  // Recipes on the methods above: what checks calls stands around those, and so checks these too.
  const lookup = (path: string): Method | undefined => table.get(path);
  const recipes = [...lockService(lookup), ...electionService(lookup, openStreams)];
  for (const [path, method] of [...recipes, ...reflectionService(lookup, openStreams)]) table.set(path, method);
  if (auth !== undefined) for (const [path, method] of authMethods(auth, header, store)) table.set(path, method);
  options.health.setServices(new Set([...table.keys()].map((path) => path.slice(1, path.lastIndexOf('/')))));
  return table;
}

function authMethods(auth: Auth, header: HeaderCodec, store: StoreApi): readonly (readonly [string, Method])[] {
  return authService({
    ...auth,
    header,
    revision: () => store.revision,
    confirm: async () => void (await store.range(NOTHING_LINEARIZABLE)),
  });
}

/** Reads nothing, at the newest head. */
const NOTHING_LINEARIZABLE: RangeRequest = {
  key: '\0',
  end: ONE_KEY,
  revision: 0,
  limit: 1,
  order: 'none',
  target: 'key',
  keysOnly: true,
  countOnly: true,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
  serializable: false,
};
