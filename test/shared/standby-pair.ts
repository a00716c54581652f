import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { pause } from './database.ts';

/**
 * A primary and its standby. Synchronous: the primary answers a commit when the standby has it. Asynchronous: `deafen`
 * decides from where on the standby has nothing.
 */
export interface StandbyPair {
  /** For a kedge: both hosts, the standby first, so that it must be passed over. */
  readonly url: string;
  /** The standby hears nothing more. */
  deafen(): Promise<void>;
  /** kill -9 of the primary. */
  killPrimary(): Promise<void>;
  /** The newest revision that the standby has, once it has applied all that it heard. */
  standbyRevision(): Promise<number>;
  /** The standby takes the primary's place. */
  promote(): Promise<void>;
  /** The old primary comes back as if nothing had happened, with what only it has. undefined: kedge cannot know that. */
  readonly revive: (() => Promise<void>) | undefined;
  dispose(): Promise<void>;
}

export interface PairKind {
  readonly name: string;
  readonly isThere: boolean;
  start(isSynchronous: boolean): Promise<StandbyPair>;
}

export const PAIRS: readonly PairKind[] = [
  { name: 'PostgreSQL', isThere: hasPostgres(), start: startPostgresPair },
  { name: 'MariaDB', isThere: hasMariadb(), start: startMariadbPair },
];

async function startPostgresPair(isSynchronous: boolean): Promise<StandbyPair> {
  const primary = await PostgresServer.start({ settings: { wal_level: 'replica', max_wal_senders: '4' } });
  const standby = await PostgresServer.start({ standbyOf: primary, name: 'next' });
  if (isSynchronous) {
    await primary.query("ALTER SYSTEM SET synchronous_standby_names = 'next'");
    await primary.query('SELECT pg_reload_conf()');
  }
  const database = primary.freshDatabase();
  const hosts = `127.0.0.1:${standby.port},127.0.0.1:${primary.port}`;
  return {
    url: `postgres://kedge@${hosts}/${database}?target_session_attrs=read-write`,
    deafen: () => standby.stop(),
    killPrimary: () => primary.stop('kill'),
    async standbyRevision() {
      // One that was deafened is stopped.
      if (standby.pid === 0) await standby.run();
      await settled(async () => String(await standby.query('SELECT pg_last_wal_replay_lsn()')));
      const [row] = await standby.query('SELECT max(revision) FROM kedge.commit', database);
      return Number(row?.[0]);
    },
    promote: async () => standby.promote(),
    revive: () => primary.run(),
    async dispose() {
      await primary.dispose();
      await standby.dispose();
    },
  };
}

/** An hour: it never falls back to asynchronous replication. */
const SEMI_SYNC_TIMEOUT_MS = 3_600_000;

async function startMariadbPair(isSynchronous: boolean): Promise<StandbyPair> {
  const logged = { log_bin: 'log', sync_binlog: '1', binlog_format: 'ROW' };
  const primary = await MariadbServer.start({ settings: { ...logged, server_id: '1' } });
  const standby = await MariadbServer.start({
    settings: {
      ...logged,
      server_id: '2',
      log_slave_updates: 'ON',
      read_only: 'ON',
      ...(isSynchronous ? { rpl_semi_sync_slave_enabled: 'ON' } : {}),
    },
  });
  await primary.query("GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1' IDENTIFIED BY 'repl'");
  await standby.query(
    `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${primary.port}, MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos`,
  );
  await standby.query('START SLAVE');
  if (isSynchronous) {
    await primary.query(`SET GLOBAL rpl_semi_sync_master_timeout = ${SEMI_SYNC_TIMEOUT_MS}`);
    await primary.query('SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC');
    await primary.query('SET GLOBAL rpl_semi_sync_master_enabled = ON');
    const status = "SHOW STATUS LIKE 'Rpl_semi_sync_master_clients'";
    for (let i = 0; i < 200 && String(await primary.query(status)) !== 'Rpl_semi_sync_master_clients,1'; i += 1) {
      await pause(50);
    }
  }
  const database = primary.freshDatabase();
  return {
    url: `mysql://root@127.0.0.1:${standby.port},127.0.0.1:${primary.port}/${database}`,
    async deafen() {
      await standby.query('STOP SLAVE');
    },
    killPrimary: () => primary.stop('kill'),
    async standbyRevision() {
      await settled(async () => String(await standby.query('SELECT @@gtid_slave_pos')));
      const [row] = await standby.query(`SELECT revision FROM ${database}.head`);
      return Number(row?.[0]);
    },
    async promote() {
      await standby.query('STOP SLAVE');
      await standby.query('SET GLOBAL read_only = 0');
    },
    revive: undefined,
    async dispose() {
      await primary.dispose();
      await standby.dispose();
    },
  };
}

/** Waits until the same is told a while. */
async function settled(ask: () => Promise<string>): Promise<void> {
  let before = '';
  for (let same = 0; same < 10; ) {
    const now = await ask();
    same = now === before ? same + 1 : 0;
    before = now;
    await pause(50);
  }
}
