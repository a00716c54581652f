import { randomBytes } from 'node:crypto';
import { LogError } from '../../mvcc/log.ts';
import { FIRST_REVISION } from '../../mvcc/types.ts';
import type { PgConnection } from './connection.ts';

/*
 * commit   the chain: each commit has the number after the one it was decided against. The last one is the head.
 *          `bytes` is what it added to the store, `total` the sum of all up to it.
 * log      one row per change, in the log's order. value NULL: a delete.
 * note     what changed besides revisions, in order; `after` is the revision it stands after.
 * lease    deadlines by this server's clock.
 * record   small named things.
 * claim    who claimed each duty last, and when (duties.ts).
 * store    one row: ids, horizon, alarms, the schema's version, and what was swept: `swept`, to which horizon all of it;
 *          `removed`, no row above this revision; `removed_bytes`, so many bytes of commits' totals.
 *
 * Nothing that an append writes is ever updated: rows are added at the right edge of each table, so that a long
 * transaction elsewhere (a backup) does not fill the head's page with dead versions.
 */

/** The schema that this program writes. Older ones are brought up to it, newer ones are refused. */
export const SCHEMA_VERSION = 2;

/** migrations[n] brings schema n to n + 1, and is done in one transaction. Never edited once released. */
const MIGRATIONS: readonly ((schema: string) => string)[] = [
  (schema) => `
    CREATE TABLE ${schema}.commit (
      number bigint PRIMARY KEY,
      id bigint NOT NULL UNIQUE,
      revision bigint NOT NULL,
      notes bigint NOT NULL,
      bytes bigint NOT NULL,
      total bigint NOT NULL,
      at timestamptz NOT NULL
    );
    CREATE TABLE ${schema}.log (
      revision bigint NOT NULL,
      sub int NOT NULL,
      key bytea NOT NULL,
      create_revision bigint NOT NULL,
      version bigint NOT NULL,
      lease bigint NOT NULL,
      value bytea,
      PRIMARY KEY (revision, sub)
    ) WITH (
      autovacuum_vacuum_scale_factor = 0.05,
      autovacuum_vacuum_insert_scale_factor = 0.1,
      autovacuum_analyze_scale_factor = 0.1,
      toast.autovacuum_vacuum_scale_factor = 0.05
    );
    CREATE TABLE ${schema}.note (
      number bigint PRIMARY KEY,
      after bigint NOT NULL,
      kind int NOT NULL,
      id bigint NOT NULL,
      ttl bigint NOT NULL,
      name bytea,
      value bytea
    );
    CREATE TABLE ${schema}.lease (
      id bigint PRIMARY KEY,
      ttl bigint NOT NULL,
      remaining_ttl bigint NOT NULL,
      deadline timestamptz NOT NULL
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
    CREATE INDEX lease_deadline ON ${schema}.lease (deadline);
    CREATE TABLE ${schema}.record (name bytea PRIMARY KEY, value bytea NOT NULL);
    CREATE TABLE ${schema}.duty (
      name text PRIMARY KEY,
      holder text NOT NULL,
      epoch bigint NOT NULL,
      until timestamptz NOT NULL
    ) WITH (fillfactor = 50);
    CREATE TABLE ${schema}.store (
      one boolean PRIMARY KEY DEFAULT true CHECK (one),
      schema_version int NOT NULL,
      cluster_id bigint NOT NULL,
      member_id bigint NOT NULL,
      horizon bigint NOT NULL,
      swept bigint NOT NULL,
      removed bigint NOT NULL,
      removed_bytes bigint NOT NULL,
      alarms text[] NOT NULL
    ) WITH (fillfactor = 50);
    INSERT INTO ${schema}.store VALUES (true, 1, ${randomId()}, ${randomId()}, 0, 0, 0, 0, '{}');
    INSERT INTO ${schema}.commit VALUES (1, ${randomCommit()}, ${FIRST_REVISION}, 0, 0, 0, clock_timestamp());`,
  // `duty` stays for replicas of the version before, which may still run; a later version drops it.
  (schema) => `
    CREATE TABLE ${schema}.claim (
      name text PRIMARY KEY,
      holder text NOT NULL,
      epoch bigint NOT NULL,
      at timestamptz NOT NULL
    ) WITH (fillfactor = 50);`,
];

/**
 * Makes the schema, or brings an older one up to date. Replicas that start at once come one after the other: a lock of
 * the transaction keeps them in line. Rejects with a LogError `refused` for a schema that is newer or not kedge's.
 */
export async function prepareSchema(connection: PgConnection, schema: string, shown: string): Promise<void> {
  // Most starts find everything in place, and need no right to make anything.
  if ((await versionOf(connection, schema, shown)) === SCHEMA_VERSION) return;
  await connection.run('BEGIN ISOLATION LEVEL READ COMMITTED');
  try {
    await connection.query({ name: 'migration_lock', text: 'SELECT pg_advisory_xact_lock(hashtext($1))' }, [
      `kedge schema ${schema}`,
    ]);
    const from = await versionOf(connection, schema, shown);
    if (from === undefined) await connection.run(`CREATE SCHEMA ${schema}`);
    for (const migration of MIGRATIONS.slice(from ?? 0)) await connection.run(migration(schema));
    await connection.run(`UPDATE ${schema}.store SET schema_version = ${SCHEMA_VERSION}`);
    await connection.run('COMMIT');
  } catch (error) {
    if (connection.isUsable) await connection.run('ROLLBACK');
    throw error;
  }
}

/** undefined: there is no such schema; 0: it is empty. */
async function versionOf(connection: PgConnection, schema: string, shown: string): Promise<number | undefined> {
  const [row] = await connection.query(
    {
      name: 'schema_kind',
      text: `SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid), to_regclass($1 || '.store') IS NOT NULL
               AND to_regclass($1 || '.commit') IS NOT NULL
               FROM pg_namespace n WHERE n.nspname = $1`,
    },
    [schema],
  );
  if (row === undefined) return undefined;
  if (row[0] === '0') return 0;
  if (row[1] !== 't') {
    throw new LogError(
      'refused',
      `store ${shown}: schema ${schema} holds other tables: choose another one with ?schema=`,
    );
  }
  const [found] = await connection.query({
    name: 'schema_version',
    text: `SELECT schema_version FROM ${schema}.store`,
  });
  const version = Number(found?.[0]);
  if (version > SCHEMA_VERSION) {
    throw new LogError(
      'refused',
      `store ${shown}: schema ${schema} has version ${version}, this kedge knows up to ${SCHEMA_VERSION}: run the newer kedge that brought it there`,
    );
  }
  return version;
}

/** Any 64 bits but 0, as PostgreSQL keeps them: signed. */
function randomId(): bigint {
  return randomBytes(8).readBigInt64LE() || 1n;
}

/** A CommitId: from 1 to 2^53 - 1. */
export function randomCommit(): number {
  const bytes = randomBytes(8);
  return bytes.readUInt32LE(0) + (bytes.readUInt32LE(4) % 2 ** 21) * 2 ** 32 || 1;
}
