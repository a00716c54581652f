import type { StoreApi } from '../mvcc/api.ts';
import type { Method } from '../wire/grpc.ts';
import { Alarms } from './alarms.ts';
import { downgrade } from './downgrade.ts';
import { refusal } from './errors.ts';
import { type HeaderCodec, RAFT_TERM } from './header.ts';
import {
  AlarmRequest,
  AlarmResponse,
  DefragmentRequest,
  DefragmentResponse,
  DowngradeRequest,
  DowngradeResponse,
  HashKVRequest,
  HashKVResponse,
  HashRequest,
  HashResponse,
  MoveLeaderRequest,
  MoveLeaderResponse,
  StatusRequest,
  StatusResponse,
} from './messages/maintenance-table.ts';
import type { Value } from './messages/schema.ts';
import { snapshotMethod } from './snapshot.ts';
import { tableMethod } from './table-method.ts';
import { CLUSTER_VERSION, ETCD_VERSION } from './version.ts';

export type MaintenanceStore = Pick<
  StoreApi,
  'revision' | 'alarms' | 'raiseAlarm' | 'disarm' | 'status' | 'defragment' | 'hashKv' | 'snapshot'
>;

export interface MaintenanceServiceOptions {
  readonly store: MaintenanceStore;
  readonly header: HeaderCodec;
  /** The size at which the NOSPACE alarm is raised, as Status tells it. */
  readonly quotaBytes: number;
}

/**
 * etcdserverpb.Maintenance, as the only member of a cluster, and therefore its leader, answers.
 * Source: etcd's server/etcdserver/api/v3rpc/maintenance.go.
 */
export function maintenanceService({
  store,
  header,
  quotaBytes,
}: MaintenanceServiceOptions): readonly (readonly [path: string, method: Method])[] {
  const alarms = new Alarms(store, header);
  return [
    ['/etcdserverpb.Maintenance/Alarm', tableMethod(AlarmRequest, AlarmResponse, (request) => alarms.answer(request))],
    [
      '/etcdserverpb.Maintenance/Status',
      tableMethod(StatusRequest, StatusResponse, () => answerStatus(store, header, alarms, quotaBytes)),
    ],
    [
      '/etcdserverpb.Maintenance/Defragment',
      tableMethod(DefragmentRequest, DefragmentResponse, async () => {
        await store.defragment();
        return {};
      }),
    ],
    [
      '/etcdserverpb.Maintenance/Hash',
      // etcd hashes its whole file, "for testing only"; of what two stores can have in common that is the keys.
      tableMethod(HashRequest, HashResponse, async () => {
        const { hash, revision } = await store.hashKv(0);
        return { header: header.value(revision), hash };
      }),
    ],
    [
      '/etcdserverpb.Maintenance/HashKV',
      tableMethod(HashKVRequest, HashKVResponse, async (request) => {
        const result = await store.hashKv(Math.max(request.revision, 0));
        return {
          header: header.value(result.revision),
          hash: result.hash,
          // etcd says -1 as long as there was no compaction.
          compact_revision: result.compactRevision === 0 ? -1 : result.compactRevision,
          hash_revision: result.hashRevision,
        };
      }),
    ],
    ['/etcdserverpb.Maintenance/Snapshot', snapshotMethod(store)],
    [
      '/etcdserverpb.Maintenance/MoveLeader',
      tableMethod(MoveLeaderRequest, MoveLeaderResponse, ({ targetID }) => {
        if (targetID !== header.memberId) throw refusal('badLeaderTransferee');
        return {};
      }),
    ],
    [
      '/etcdserverpb.Maintenance/Downgrade',
      tableMethod(DowngradeRequest, DowngradeResponse, (request) => ({
        header: header.value(store.revision),
        ...downgrade(request),
      })),
    ],
  ];
}

async function answerStatus(
  store: MaintenanceStore,
  header: HeaderCodec,
  alarms: Alarms,
  quotaBytes: number,
): Promise<Partial<Value<typeof StatusResponse>>> {
  const status = await store.status();
  // There is no Raft log; what counts up with every write here is the revision.
  const index = BigInt(status.revision);
  return {
    header: header.value(status.revision),
    version: ETCD_VERSION,
    dbSize: status.totalBytes,
    leader: header.memberId,
    raftIndex: index,
    raftTerm: BigInt(RAFT_TERM),
    raftAppliedIndex: index,
    errors: alarms.texts(),
    dbSizeInUse: status.inUseBytes,
    storageVersion: CLUSTER_VERSION,
    dbSizeQuota: quotaBytes,
    downgradeInfo: {},
  };
}
