import { randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { LogError } from '../../mvcc/log.ts';
import { FIRST_REVISION } from '../../mvcc/types.ts';
import { retryConflicts } from './conflicts.ts';
import { type MysqlConnection, numberAt } from './connection.ts';
import { NOW_US, textLiteral } from './literals.ts';

/*
 * The tables. Everything is bytes or a signed 64-bit integer: no character set, no collation, no auto-increment, a
 * primary key everywhere (Galera and group replication ask for it).
 *
 *   head     row 1: where the log ends. Its commit_id is what append compares and sets. Row 2: what was swept
 *   log      one row per change, in the log's order: appends go to the right edge of the tree
 *   note     what changes leases and records, numbered without a gap
 *   commit   the newest commits by place: whether a cursor is of this history, and where news may be cut
 *   lease    deadlines by the database's clock
 *   record   small named things
 *   claim    who claimed each duty last, and when (duties.ts)
 *   flush    written to when what others committed must be on disk (news.ts)
 *   kedge    the schema's version, and who is bringing it up to date
 */

/** The schema that this program writes. Older ones are brought up to it, newer ones are refused. */
export const SCHEMA_VERSION = 2;

/**
 * migrations[n] brings schema n to n + 1. The servers cannot undo a CREATE or ALTER, so a step may be left half done
 * and is then done again: each statement must be harmless when repeated. Never edited once released.
 */
const MIGRATIONS: readonly (readonly string[])[] = [
  [
    table(
      'log',
      `revision BIGINT NOT NULL,
       sub INT NOT NULL,
       kind TINYINT NOT NULL,            -- 0: put, 1: delete
       create_revision BIGINT NOT NULL,
       version BIGINT NOT NULL,
       lease BIGINT NOT NULL,            -- 0: none
       value_bytes INT NOT NULL,
       \`key\` MEDIUMBLOB NOT NULL,
       \`value\` LONGBLOB NOT NULL,
       PRIMARY KEY (revision, sub)`,
    ),
    table(
      'note',
      `number BIGINT NOT NULL,           -- 1, 2, 3, …
       after_revision BIGINT NOT NULL,
       kind TINYINT NOT NULL,            -- notes.ts
       lease BIGINT NOT NULL,
       ttl BIGINT NOT NULL,              -- seconds; what is left of it for a checkpoint
       name BLOB NOT NULL,
       \`value\` LONGBLOB NOT NULL,
       PRIMARY KEY (number)`,
    ),
    table(
      'commit',
      `revision BIGINT NOT NULL,         -- where it led to
       notes BIGINT NOT NULL,
       number BIGINT NOT NULL,           -- tells commits apart that led nowhere
       id BIGINT NOT NULL,
       bytes BIGINT NOT NULL,            -- of its keys and values
       at_us BIGINT NOT NULL,
       PRIMARY KEY (revision, notes, number)`,
    ),
    table(
      'lease',
      `id BIGINT NOT NULL,
       ttl BIGINT NOT NULL,              -- seconds, as granted
       remaining_ttl BIGINT NOT NULL,    -- seconds, when last noted down
       deadline_us BIGINT NOT NULL,
       PRIMARY KEY (id),
       KEY by_deadline (deadline_us)`,
    ),
    table(
      'record',
      `name VARBINARY(2048) NOT NULL,
       \`value\` LONGBLOB NOT NULL,
       PRIMARY KEY (name)`,
    ),
    table(
      'duty',
      `name VARBINARY(255) NOT NULL,
       holder VARBINARY(255) NOT NULL,
       epoch BIGINT NOT NULL,
       until_us BIGINT NOT NULL,
       PRIMARY KEY (name)`,
    ),
    table(
      'flush',
      `id TINYINT NOT NULL,
       number BIGINT NOT NULL,
       PRIMARY KEY (id)`,
    ),
    table(
      'head',
      `id TINYINT NOT NULL,              -- 1
       commit_id BIGINT NOT NULL,
       revision BIGINT NOT NULL,
       notes BIGINT NOT NULL,
       commits BIGINT NOT NULL,
       horizon BIGINT NOT NULL,
       swept BIGINT NOT NULL,            -- rows that a horizon up to here lets go of are gone
       removed BIGINT NOT NULL,          -- the newest revision that has lost a row
       alarms TINYINT NOT NULL,          -- 1: nospace, 2: corrupt
       log_rows BIGINT NOT NULL,
       log_bytes BIGINT NOT NULL,        -- of keys and values
       settled BIGINT NOT NULL,          -- how often an append's fate was looked up
       cluster_id BIGINT NOT NULL,
       member_id BIGINT NOT NULL,
       PRIMARY KEY (id)`,
    ),
    // Whoever is first makes the ids; all others find them.
    firstHead(),
    'INSERT IGNORE INTO `commit` (revision, notes, number, id, bytes, at_us) SELECT revision, notes, commits, commit_id, 0, 0 FROM head WHERE commits = 0',
  ],
  // `duty` stays for replicas of the version before, which may still run; a later version drops it.
  [
    table(
      'claim',
      `name VARBINARY(255) NOT NULL,
       holder VARBINARY(255) NOT NULL,
       epoch BIGINT NOT NULL,
       at_us BIGINT NOT NULL,
       PRIMARY KEY (name)`,
    ),
  ],
];

/** How long one replica may take for one step before another takes over. */
const HOLD_US = 600_000_000;
const WAIT_MS = 200;

/**
 * Makes the tables or brings them up to date. Safe for replicas that start at once: one does it, the others wait. Throws
 * a LogError `refused` when the database is newer than this program or another program's.
 */
export async function prepareSchema(connection: MysqlConnection, shown: string, clock: Clock): Promise<void> {
  if ((await versionIn(connection, shown)) === SCHEMA_VERSION) return;
  const me = randomBytes(8).toString('hex');
  for (;;) {
    const version = await versionIn(connection, shown);
    if (version === SCHEMA_VERSION) return;
    if (await claim(connection, me)) {
      for (const statement of MIGRATIONS[version] ?? []) await retryConflicts(() => connection.rows(statement));
      await connection.rows(
        `UPDATE kedge SET version = ${version + 1}, until_us = 0 WHERE id = 1 AND version = ${version}`,
      );
    } else await new Promise<void>((resolve) => clock.after(WAIT_MS, resolve));
  }
}

/** Refuses what is not ours or newer. 0: nothing is there yet but the row that says so. */
async function versionIn(connection: MysqlConnection, shown: string): Promise<number> {
  const [tables = []] = await connection.run([
    `SELECT COUNT(*), COALESCE(SUM(table_name = 'kedge'), 0) FROM information_schema.tables WHERE table_schema = DATABASE()`,
  ]);
  const isOurs = numberAt(tables[0], 1) > 0;
  if (!isOurs && numberAt(tables[0], 0) > 0) {
    throw new LogError(
      'refused',
      `store ${shown}: the database holds tables of another program: name another database`,
    );
  }
  if (!isOurs) {
    await connection.rows(
      table(
        'kedge',
        `id TINYINT NOT NULL,              -- 1
         version INT NOT NULL,
         holder VARBINARY(255) NOT NULL,
         until_us BIGINT NOT NULL,
         PRIMARY KEY (id)`,
      ),
    );
  }
  const [, found = []] = await retryConflicts(() =>
    connection.run([
      "INSERT IGNORE INTO kedge (id, version, holder, until_us) VALUES (1, 0, '', 0)",
      'SELECT version FROM kedge WHERE id = 1',
    ]),
  );
  const version = numberAt(found[0], 0);
  if (version > SCHEMA_VERSION) {
    throw new LogError(
      'refused',
      `store ${shown}: the database has schema version ${version}, this kedge knows up to ${SCHEMA_VERSION}: start the newer kedge, or restore a backup taken before the upgrade into another database`,
    );
  }
  return version;
}

/** Only one replica at a time brings the schema up to date. */
async function claim(connection: MysqlConnection, me: string): Promise<boolean> {
  const mine = textLiteral(me);
  const [, rows = []] = await retryConflicts(() =>
    connection.run([
      `UPDATE kedge SET holder = ${mine}, until_us = ${NOW_US} + ${HOLD_US} WHERE id = 1 AND (until_us < ${NOW_US} OR holder = ${mine})`,
      `SELECT 1 FROM kedge WHERE id = 1 AND holder = ${mine}`,
    ]),
  );
  return rows.length > 0;
}

function table(name: string, columns: string): string {
  return `CREATE TABLE IF NOT EXISTS \`${name}\` (${columns}) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET binary`;
}

/** Called for each start of the program, used by the first one. */
function firstHead(): string {
  const id = (): bigint => randomBytes(8).readBigInt64LE() || 1n;
  // Random too: two empty databases are two histories.
  const commit = (randomBytes(6).readUIntLE(0, 6) % (2 ** 48 - 1)) + 1;
  return `INSERT IGNORE INTO head (id, commit_id, revision, notes, commits, horizon, swept, removed, alarms, log_rows, log_bytes, settled, cluster_id, member_id)
    VALUES (1, ${commit}, ${FIRST_REVISION}, 0, 0, 0, 0, 0, 0, 0, 0, 0, ${id()}, ${id()})`;
}
