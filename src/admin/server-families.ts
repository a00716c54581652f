import { counter, type Family, gauge } from './exposition.ts';
import type { HealthStats } from './health.ts';

/** What a one-member etcd says of itself: there is a leader, it is this one, and it never changed. */
export interface ServerFacts {
  readonly etcdVersion: string;
  readonly clusterVersion: string;
  readonly kedgeVersion: string;
  readonly memberId: bigint;
  readonly quotaBytes: number;
}

export function serverFamilies(facts: ServerFacts, health: HealthStats): Family[] {
  const constant = (value: number) => () => value;
  return [
    gauge('etcd_server_has_leader', 'Whether a leader exists: always 1 here.', constant(1)),
    gauge('etcd_server_is_leader', 'Whether this member leads: always 1 here.', constant(1)),
    gauge('etcd_server_is_learner', 'Whether this member is a learner: never here.', constant(0)),
    counter('etcd_server_leader_changes_seen_total', 'Changes of the leader seen.', constant(1)),
    counter('etcd_server_heartbeat_send_failures_total', 'Heartbeats that failed: there are none here.', constant(0)),
    gauge('etcd_server_id', 'The member, in hexadecimal.', constant(1), {
      server_id: BigInt.asUintN(64, facts.memberId).toString(16),
    }),
    gauge('etcd_server_version', 'The etcd version whose behaviour is shown.', constant(1), {
      server_version: facts.etcdVersion,
    }),
    gauge('etcd_cluster_version', 'The cluster version that is shown.', constant(1), {
      cluster_version: facts.clusterVersion.split('.').slice(0, 2).join('.'),
    }),
    gauge(
      'etcd_server_quota_backend_bytes',
      'Size of the data above which writes are refused.',
      constant(facts.quotaBytes),
    ),
    gauge('kedge_build_info', 'The version of kedge.', constant(1), { version: facts.kedgeVersion }),
    counter('etcd_server_health_success', 'Health checks that went well.', health.success),
    counter('etcd_server_health_failures', 'Health checks that failed.', health.failures),
    {
      name: 'etcd_server_healthcheck',
      help: 'How each check last ended: 1 well, 0 badly or never.',
      type: 'gauge',
      write(to) {
        for (const { type, name, last } of health.checks.values()) to.sample(last, { type, name });
      },
    },
    {
      name: 'etcd_server_healthchecks_total',
      help: 'Checks, by how they ended.',
      type: 'counter',
      write(to) {
        for (const { type, name, ok, failed } of health.checks.values()) {
          to.sample(ok, { type, name, status: 'success' });
          to.sample(failed, { type, name, status: 'error' });
        }
      },
    },
  ];
}
