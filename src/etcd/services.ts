import type { Clock } from '../base/clock.ts';
import type { Gauge } from '../base/metrics.ts';
import type { StoreApi } from '../mvcc/api.ts';
import type { Method, ServiceTable } from '../wire/grpc.ts';
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
}

/**
 * The etcd API as one table for the wire. A path that is not in it (Auth for now) is answered there:
 * Unimplemented, "unknown service …", as grpc-go does.
 */
export function etcdServices(options: EtcdServicesOptions): ServiceTable {
  const { store, clock, random, openStreams, maxRequestBytes, maxTxnOps } = options;
  const header = new HeaderCodec(store.clusterId, store.memberId);
  const methods: readonly (readonly [path: string, method: Method])[] = [
    ...kvService({ store, header, maxRequestBytes, maxTxnOps }),
    ...watchService({
      store,
      header,
      clock,
      random,
      progressNotifyIntervalMs: options.watchProgressNotifyIntervalMs,
      fragmentBytes: maxRequestBytes + options.requestOverheadBytes,
      open: openStreams,
      ...(options.watchStreams === undefined ? {} : { streams: options.watchStreams }),
    }),
    ...leaseService({ store, header, open: openStreams }),
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
  const table = new Map(methods);
  // Recipes on the methods above: whatever checks calls is to stand around those, and so checks these too.
  const lookup = (path: string): Method | undefined => table.get(path);
  const recipes = [...lockService(lookup), ...electionService(lookup, openStreams)];
  for (const [path, method] of [...recipes, ...reflectionService(lookup, openStreams)]) table.set(path, method);
  options.health.setServices(new Set([...table.keys()].map((path) => path.slice(1, path.lastIndexOf('/')))));
  return table;
}
