import { counter, type Family, gauge, histogram } from '../admin/exposition.ts';
import type { DatabaseStats } from '../log/shared/database-stats.ts';
import type { DatabaseHealth } from '../mvcc/log.ts';

/** The database behind a shared store, for /metrics. `health`: as last asked. NaN is what nobody knows. */
export function databaseFamilies(stats: DatabaseStats, health: () => DatabaseHealth | undefined): Family[] {
  const ofHealth = (of: (known: DatabaseHealth) => number | undefined) => (): number => {
    const known = health();
    return known === undefined ? Number.NaN : (of(known) ?? Number.NaN);
  };
  const whenUp = (of: (known: DatabaseHealth) => number | undefined) =>
    ofHealth((known) => (known.problem === undefined ? of(known) : undefined));
  return [
    {
      name: 'kedge_database_info',
      help: 'What the database is.',
      type: 'gauge',
      write: (to) => to.sample(1, { server: health()?.server ?? '' }),
    },
    gauge('kedge_database_up', 'Whether the database was well when last asked.', () =>
      health()?.problem === undefined ? 1 : 0,
    ),
    gauge('kedge_database_warnings', 'Settings of the server that cost durability or speed.', () =>
      Number(health()?.warnings.length ?? 0),
    ),
    gauge(
      'kedge_database_latency_seconds',
      'A round trip.',
      whenUp(({ latencyMs }) => latencyMs / 1000),
    ),
    gauge(
      'kedge_database_clock_difference_seconds',
      "The database's clock less this machine's.",
      whenUp(({ clockDifferenceMs }) => clockDifferenceMs / 1000),
    ),
    gauge(
      'kedge_database_replication_lag_bytes',
      'How far the slowest standby is behind; NaN where that is not told.',
      whenUp(({ replicationLagBytes }) => replicationLagBytes),
    ),
    gauge('kedge_database_breaker_state', '0 closed, 1 half open, 2 open: requests fail at once.', stats.breakerState),
    counter('kedge_database_breaker_opened_total', 'Times the breaker opened.', stats.breakerOpened),
    gauge(
      'kedge_database_connections_open',
      'Connections, those that append and listen too.',
      ofHealth(({ connections }) => connections.open),
    ),
    gauge(
      'kedge_database_connections_max',
      'How many there may be.',
      ofHealth(({ connections }) => connections.max),
    ),
    gauge(
      'kedge_database_connections_idle',
      'Of those that are open, how many do nothing.',
      ofHealth(({ connections }) => connections.idle),
    ),
    gauge('kedge_database_connections_waiting', 'Calls that wait for a connection.', stats.connectionsWaiting),
    counter('kedge_database_connections_made_total', 'Connections made.', stats.connectionsMade),
    counter('kedge_database_connect_failures_total', 'Attempts to connect that failed.', stats.connectFailures),
    counter('kedge_database_connections_lost_total', 'Connections that ended unasked.', stats.connectionsLost),
    histogram('kedge_database_append_seconds', 'An append, from sending until it is durable.', stats.appendSeconds),
    histogram('kedge_database_read_seconds', 'A read, waiting for a connection included.', stats.readSeconds),
    counter('kedge_database_appends_moved_total', 'Appends before which others came.', stats.appendsMoved),
    counter('kedge_database_appends_ambiguous_total', 'Appends whose fate was looked up.', stats.appendsAmbiguous),
    counter('kedge_database_hints_total', 'Notifications of commits that came.', stats.hints),
  ];
}
