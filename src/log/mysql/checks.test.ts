import { describe, expect, it } from 'vitest';
import { checkServer } from './checks.ts';

/** A server on which all is well, and what a test changes of it. */
function settings(changes: Readonly<Record<string, string>> = {}): Map<string, string> {
  return new Map(
    Object.entries({
      version: '10.11.6-MariaDB-0+deb12u1-log',
      version_comment: 'Debian 12',
      sql_mode: 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',
      autocommit: 'ON',
      transaction_isolation: 'READ-COMMITTED',
      character_set_client: 'binary',
      max_allowed_packet: '16777216',
      innodb_flush_log_at_trx_commit: '1',
      innodb_doublewrite: 'ON',
      log_bin: 'ON',
      sync_binlog: '1',
      binlog_format: 'MIXED',
      ...changes,
    }),
  );
}

const GALERA = { wsrep_on: 'ON', wsrep_sync_wait: '1', wsrep_local_state_comment: 'Synced' };
const MYSQL = { version: '8.0.36', version_comment: 'MySQL Community Server - GPL' };

describe('a server', () => {
  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['an old MariaDB', { version: '10.5.23-MariaDB' }, /is MariaDB 10.5.23; kedge needs MariaDB 10.11 or MySQL 8.0/],
    ['one that says it is older', { version: '5.5.5-10.6.1-MariaDB' }, /is MariaDB 10.6.1; kedge needs/],
    ['an old MySQL', { ...MYSQL, version: '5.7.44' }, /is MySQL 5.7.44; kedge needs/],
    ['dirty reads', { transaction_isolation: 'READ-UNCOMMITTED' }, /isolation is READ-UNCOMMITTED.*a proxy in between/],
    ['no strict mode', { sql_mode: 'NO_ENGINE_SUBSTITUTION' }, /sql_mode is "NO_ENGINE_SUBSTITUTION"/],
    ['other characters', { character_set_client: 'utf8mb4' }, /character_set_client is utf8mb4, not binary/],
    ['small packets', { max_allowed_packet: '1048576' }, /max_allowed_packet is 1048576 bytes: set it to 16777216/],
    ['a binary log of statements', { binlog_format: 'STATEMENT' }, /binlog_format is STATEMENT.*set it to ROW/],
    ['a Galera in fragments', { ...GALERA, wsrep_trx_fragment_size: '1000' }, /wsrep_trx_fragment_size is not 0/],
    ['a Galera that reads the past', { ...GALERA, wsrep_sync_wait: '0' }, /wsrep_sync_wait cannot be set to 1/],
  ])('is refused for %s', (_, changes, message) => {
    expect(() => checkServer(settings(changes), 0, 'mysql://db/x')).toThrow(
      expect.objectContaining({ code: 'refused', message: expect.stringMatching(message) }),
    );
  });

  it('takes many statements as one if it is a MariaDB alone', () => {
    const takesBlocks = [{}, MYSQL, GALERA].map((changes) => checkServer(settings(changes), 0, 'x').takesBlocks);
    expect(takesBlocks).toEqual([true, false, false]);
  });

  it.each<[string, Readonly<Record<string, string>>, number, RegExp[]]>([
    ['nothing', {}, 0, []],
    ['nothing on MySQL', MYSQL, 4_000, []],
    ['nothing on Galera', GALERA, 0, []],
    [
      'commits that are not flushed',
      { innodb_flush_log_at_trx_commit: '2' },
      0,
      [/is 2: a crash may lose.*set it to 1/],
    ],
    ['the same on Galera', { ...GALERA, innodb_flush_log_at_trx_commit: '2' }, 0, [/a crash of all nodes at once/]],
    ['a binary log that is not', { sync_binlog: '0' }, 0, [/sync_binlog is 0.*set it to 1/]],
    ['half a page', { innodb_doublewrite: 'OFF' }, 0, [/innodb_doublewrite is off/]],
    ['packets that could be larger', { max_allowed_packet: '4194304' }, 0, [/16777216 is better/]],
    ['a clock ahead', {}, 200_000, [/clock is 200 s ahead of ours/]],
    ['a clock behind', {}, -200_000, [/clock is 200 s behind ours/]],
    [
      'a replica that nobody waits for',
      { rpl_semi_sync_master_enabled: 'ON', rpl_semi_sync_master_status: 'OFF' },
      0,
      [/fallen back to asynchronous/],
    ],
    [
      'the same in the words of MySQL',
      { ...MYSQL, rpl_semi_sync_source_enabled: 'ON', rpl_semi_sync_source_status: 'OFF' },
      0,
      [/fallen back to asynchronous/],
    ],
    [
      'a replica that is waited for too late',
      {
        rpl_semi_sync_master_enabled: 'ON',
        rpl_semi_sync_master_status: 'ON',
        rpl_semi_sync_master_wait_point: 'AFTER_COMMIT',
      },
      0,
      [/rpl_semi_sync_master_wait_point is AFTER_COMMIT/],
    ],
    ['a donor', { ...GALERA, wsrep_local_state_comment: 'Donor/Desynced' }, 0, [/in state Donor\/Desynced/]],
  ])('is warned of %s', (_, changes, differenceMs, warnings) => {
    expect(checkServer(settings(changes), differenceMs, 'mysql://db/x').warnings).toEqual(
      warnings.map((each) => expect.stringMatching(each)),
    );
  });
});
