import type { CommitId, Revision } from '../../mvcc/types.ts';
import type { Statement } from './connection.ts';

/** All that is said to the server after the start, by the schema of the store. */
export type Statements = ReturnType<typeof statementsFor>;

/** What a row of the log takes beside its key and value: header, numbers, its entry in the index. About. */
export const ROW_BYTES = 100;

/** As rows.ts reads them: one text, for each column costs the reader a string. */
const NUMBERS = (...columns: string[]) => columns.join(` || ' ' || `);
const CHANGE_NUMBERS = ['revision', 'sub', 'create_revision', 'version', 'lease'];
const CHANGE = `${NUMBERS(...CHANGE_NUMBERS)}, encode(key, 'escape'), value`;

/** The newest commit. */
const HEAD = (s: string) => `SELECT number, id, revision, notes FROM ${s}.commit ORDER BY number DESC LIMIT 1`;

/**
 * The compare-and-set: the next number after the expected commit, if that commit is there, ends where the batch begins,
 * and nobody has the number yet. A second one that wants the number waits for the first one's end, then finds it taken.
 */
const NEXT_COMMIT = (s: string, expectedRevision: string, expectedNotes: string) => `
  INSERT INTO ${s}.commit (number, id, revision, notes, bytes, total, at)
  SELECT c.number + 1, $2::bigint, $3::bigint, $4::bigint, $5::bigint, c.total + $5::bigint, clock_timestamp()
    FROM ${s}.commit c
   WHERE c.id = $1::bigint AND c.revision = ${expectedRevision}::bigint AND c.notes = ${expectedNotes}::bigint
  ON CONFLICT (number) DO NOTHING
  RETURNING revision`;

/** Arrays of one length, side by side. In FROM, the server would first write all rows of them down. */
const ADD_ROWS = (s: string) => `
  INSERT INTO ${s}.log (revision, sub, key, create_revision, version, lease, value)
  SELECT unnest($6::bigint[]), unnest($7::int[]), unnest($8::bytea[]), unnest($9::bigint[]), unnest($10::bigint[]),
         unnest($11::bigint[]), unnest($12::bytea[]) FROM h`;

/** `channel`: where each append is told of, in its own commit: upon which one, its id, revision, count of notes. */
export function statementsFor(schema: string, channel: string | undefined) {
  const s = schema;
  const told = NUMBERS('$1::bigint', '$2::bigint', 'h.revision', '$4::bigint');
  const tell = channel === undefined ? '' : `, pg_notify('${channel}', ${told})`;
  const at = (name: string, text: string): Statement => ({ name: `${s}_${name}`, text });
  return {
    /** One row when it hit. */
    append: at(
      'append',
      `WITH h AS (${NEXT_COMMIT(s, '$13', '$14')}), l AS (${ADD_ROWS(s)})
       SELECT h.revision${tell} FROM h`,
    ),

    /**
     * With notes. The leases' rows are locked in the order of their ids, as renewals lock them; a lease that was to
     * expire and is not over (or not there) ends it all by a division by zero.
     */
    appendNotes: at(
      'append_notes',
      `WITH h AS (${NEXT_COMMIT(s, '$28', '$29')}), l AS (${ADD_ROWS(s)}),
       n AS (
         INSERT INTO ${s}.note (number, after, kind, id, ttl, name, value)
         SELECT $4::bigint - cardinality($13::bigint[]) + r.place, r.after, r.kind, r.id, r.ttl, r.name, r.value
           FROM h, unnest($13::bigint[], $14::int[], $15::bigint[], $16::bigint[], $17::bytea[], $18::bytea[])
             WITH ORDINALITY r(after, kind, id, ttl, name, value, place)),
       locked AS (
         SELECT id, deadline <= clock_timestamp() AS is_over FROM ${s}.lease
          WHERE EXISTS (SELECT FROM h) AND (id = ANY($19::bigint[]) OR id = ANY($22::bigint[]) OR id = ANY($23::bigint[]))
          ORDER BY id FOR UPDATE),
       over AS MATERIALIZED (
         SELECT count(*) FILTER (WHERE is_over AND id = ANY($25::bigint[])) AS leases FROM locked),
       granted AS (
         INSERT INTO ${s}.lease (id, ttl, remaining_ttl, deadline)
         SELECT r.id, r.ttl, r.remaining, clock_timestamp() + make_interval(secs => r.ttl)
           FROM over, h, unnest($19::bigint[], $20::bigint[], $21::bigint[]) r(id, ttl, remaining)
         ON CONFLICT (id) DO UPDATE
            SET ttl = excluded.ttl, remaining_ttl = excluded.remaining_ttl, deadline = excluded.deadline),
       revoked AS (DELETE FROM ${s}.lease USING over, h WHERE id = ANY($22::bigint[])),
       noted AS (
         UPDATE ${s}.lease SET remaining_ttl = r.remaining
           FROM over, h, unnest($23::bigint[], $24::bigint[]) r(id, remaining) WHERE lease.id = r.id),
       kept AS (
         INSERT INTO ${s}.record (name, value)
         SELECT r.name, r.value FROM h, unnest($26::bytea[], $27::bytea[]) r(name, value) WHERE r.value IS NOT NULL
         ON CONFLICT (name) DO UPDATE SET value = excluded.value),
       dropped AS (
         DELETE FROM ${s}.record USING h, unnest($26::bytea[], $27::bytea[]) r(name, value)
          WHERE record.name = r.name AND r.value IS NULL)
       SELECT h.revision, 1 / (over.leases = cardinality($25::bigint[]))::int${tell} FROM h, over`,
    ),

    head: at('head', HEAD(s)),

    /** Which of these could expire now. */
    over: at('over', `SELECT id FROM ${s}.lease WHERE id = ANY($1::bigint[]) AND deadline <= clock_timestamp()`),

    /** Takes the place of an append that may still come. */
    fence: at(
      'fence',
      `INSERT INTO ${s}.commit (number, id, revision, notes, bytes, total, at)
       SELECT c.number + 1, $2::bigint, c.revision, c.notes, 0, c.total, clock_timestamp()
         FROM ${s}.commit c WHERE c.id = $1::bigint
       ON CONFLICT (number) DO NOTHING`,
    ),
    /**
     * A commit of nothing upon the newest one, statements in one text and one transaction. The lock lets nobody else
     * append, and who waits for it is before all who come later.
     */
    announce: (commit: CommitId, leapTo: Revision) =>
      `LOCK TABLE ${s}.commit IN SHARE ROW EXCLUSIVE MODE;
       UPDATE ${s}.store SET horizon = ${leapTo} FROM (${HEAD(s)}) h WHERE h.revision < ${leapTo};
       INSERT INTO ${s}.commit (number, id, revision, notes, bytes, total, at)
       SELECT number + 1, ${commit}, greatest(revision, ${leapTo}), notes, 0, total, clock_timestamp()
         FROM ${s}.commit ORDER BY number DESC LIMIT 1`,
    /** The first commit that is still known. */
    oldest: at('oldest', `SELECT revision, notes FROM ${s}.commit ORDER BY number LIMIT 1`),
    /** Whether the commit is there; whether the one before it is; whether it is too long ago to tell. */
    outcome: at(
      'outcome',
      `SELECT EXISTS (SELECT FROM ${s}.commit WHERE id = $1::bigint), EXISTS (SELECT FROM ${s}.commit WHERE id = $2::bigint),
              EXISTS (SELECT FROM ${s}.commit WHERE revision <= $3::bigint AND notes <= $4::bigint ORDER BY number LIMIT 1)`,
    ),

    /**
     * News of one moment, in one statement. Columns: kind, numbers, name, value; a row of kind 0 with the state, kind 1
     * with the commit up to which they go (none: nothing new), kind 2 for each change, kind 3 for each note.
     */
    news: at(
      'news',
      `WITH h AS MATERIALIZED (${HEAD(s)}),
       k AS MATERIALIZED (
         SELECT number, total FROM ${s}.commit WHERE id = $3::bigint AND revision = $1::bigint AND notes = $2::bigint),
       u AS MATERIALIZED (
         SELECT c.id, c.revision, c.notes FROM k, LATERAL (
           SELECT * FROM ${s}.commit WHERE number > k.number ORDER BY number LIMIT 4096) c
          WHERE c.total - c.bytes - k.total < $4::bigint ORDER BY c.number DESC LIMIT 1)
       SELECT 0, ${NUMBERS('h.revision', 'h.notes', 'h.id', 't.horizon', 't.swept', 't.removed', '(SELECT count(*) FROM k)')},
              array_to_string(t.alarms, ','), NULL::bytea FROM h, ${s}.store t
       UNION ALL SELECT 1, ${NUMBERS('u.revision', 'u.notes', 'u.id')}, NULL, NULL FROM u
       UNION ALL SELECT 2, l.* FROM u, LATERAL (
           SELECT ${CHANGE} FROM ${s}.log WHERE revision > $1::bigint AND revision <= u.revision ORDER BY revision, sub) l
       UNION ALL SELECT 3, n.* FROM u, LATERAL (
           SELECT ${NUMBERS('number', 'after', 'kind', 'id', 'ttl')}, encode(name, 'escape'), value
             FROM ${s}.note WHERE number > $2::bigint AND number <= u.notes ORDER BY number) n`,
    ),

    /** Rows after a position, in order, until so many rows, or so many bytes (at least one row). */
    changes: at(
      'changes',
      `SELECT ${CHANGE} FROM (
         SELECT *, sum(octet_length(key) + coalesce(octet_length(value), 0)) OVER (
                  ORDER BY revision, sub ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
           FROM (SELECT * FROM ${s}.log WHERE (revision, sub) > ($1::bigint, $2::int)
                  ORDER BY revision, sub LIMIT $3::int) l) l
        WHERE bytes_before IS NULL OR bytes_before < $4::bigint ORDER BY revision, sub`,
    ),

    /** The same without values, up to a revision. */
    heads: at(
      'heads',
      `SELECT ${NUMBERS(...CHANGE_NUMBERS, 'value_bytes')}, encode(key, 'escape') FROM (
         SELECT *, sum(octet_length(key)) OVER (
                  ORDER BY revision, sub ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
           FROM (SELECT revision, sub, create_revision, version, lease, key, coalesce(octet_length(value), -1) AS value_bytes
                   FROM ${s}.log WHERE (revision, sub) > ($1::bigint, $2::int) AND revision <= $5::bigint
                  ORDER BY revision, sub LIMIT $3::int) l) l
        WHERE bytes_before IS NULL OR bytes_before < $4::bigint ORDER BY revision, sub`,
    ),

    /** Those that are there, with their place in the question. */
    rows: at(
      'rows',
      `SELECT ${CHANGE}, place
         FROM unnest($1::bigint[], $2::int[]) WITH ORDINALITY p(revision, sub, place)
         JOIN ${s}.log USING (revision, sub)`,
    ),

    compact: at('compact', `UPDATE ${s}.store SET horizon = $1::bigint WHERE horizon < $1::bigint`),
    /** `removed` is at least the revision of each row that was ever swept. */
    sweep: at(
      'sweep',
      `WITH gone AS (
         DELETE FROM ${s}.log l USING unnest($1::bigint[], $2::int[]) p(revision, sub)
          WHERE l.revision = p.revision AND l.sub = p.sub
          RETURNING l.revision, octet_length(l.key) + coalesce(octet_length(l.value), 0) + ${ROW_BYTES} AS bytes),
       g AS (SELECT coalesce(max(revision), 0) AS removed, coalesce(sum(bytes), 0) AS bytes FROM gone)
       UPDATE ${s}.store
          SET removed = greatest(store.removed, g.removed), removed_bytes = removed_bytes + g.bytes,
              swept = greatest(swept, $3::bigint)
         FROM g RETURNING g.bytes`,
    ),
    /**
     * Old commits and their notes, a bounded bite, from the oldest on without leaving one out: the last 10,000 and those
     * of an hour stay. Answers how many went.
     */
    forget: at(
      'forget',
      `WITH first AS MATERIALIZED (SELECT number, at FROM ${s}.commit ORDER BY number LIMIT $1::int),
       bound AS MATERIALIZED (
         SELECT least((SELECT number FROM ${s}.commit ORDER BY number DESC LIMIT 1) - 10000,
                      (SELECT max(number) FROM first),
                      (SELECT min(number) - 1 FROM first WHERE at >= now() - interval '1 hour')) AS number),
       gone AS (
         DELETE FROM ${s}.commit c USING bound WHERE c.number <= bound.number RETURNING c.notes),
       notes AS (
         DELETE FROM ${s}.note WHERE number <= (SELECT max(notes) FROM gone)
          RETURNING coalesce(octet_length(name), 0) + coalesce(octet_length(value), 0) + ${ROW_BYTES} AS bytes),
       counted AS (
         UPDATE ${s}.store SET removed_bytes = removed_bytes + n.bytes
           FROM (SELECT sum(bytes) AS bytes FROM notes) n WHERE n.bytes IS NOT NULL)
       SELECT count(*) FROM gone`,
    ),
    raise: at(
      'raise',
      `UPDATE ${s}.store SET alarms = array_append(alarms, $1::text) WHERE NOT $1::text = ANY (alarms)`,
    ),
    clear: at('clear', `UPDATE ${s}.store SET alarms = array_remove(alarms, $1::text) WHERE $1::text = ANY (alarms)`),

    state: at('state', `SELECT horizon, cluster_id, member_id, array_to_string(alarms, ',') FROM ${s}.store`),
    leases: at('leases', `SELECT id, ttl, remaining_ttl FROM ${s}.lease ORDER BY id`),
    records: at('records', `SELECT encode(name, 'escape'), value FROM ${s}.record ORDER BY name`),
    /** For progress: counted when few, else as the server last saw it, or by the size of the file and of the first rows. */
    rowCount: at(
      'row_count',
      `SELECT CASE WHEN c.reltuples > 20000 THEN c.reltuples::bigint
                   WHEN few.rows <= 20000 THEN few.rows
                   ELSE (pg_relation_size(c.oid) / (SELECT avg(pg_column_size(l)) + 4 FROM (SELECT * FROM ${s}.log LIMIT 1000) l))::bigint
              END
         FROM pg_class c, LATERAL (
           SELECT count(*) AS rows FROM (SELECT FROM ${s}.log WHERE c.reltuples <= 20000 LIMIT 20001) l) few
        WHERE c.oid = '${s}.log'::regclass`,
    ),

    renew: at(
      'renew',
      `WITH locked AS MATERIALIZED (
         SELECT id FROM ${s}.lease WHERE id = ANY($1::bigint[]) AND deadline > clock_timestamp() ORDER BY id FOR UPDATE)
       UPDATE ${s}.lease l SET deadline = clock_timestamp() + make_interval(secs => l.ttl), remaining_ttl = l.ttl
         FROM locked WHERE l.id = locked.id RETURNING l.id`,
    ),
    left: at(
      'left',
      `SELECT id, extract(epoch FROM deadline - clock_timestamp()) * 1000 FROM ${s}.lease WHERE id = ANY($1::bigint[])`,
    ),
    expired: at(
      'expired',
      `SELECT id FROM ${s}.lease WHERE deadline <= statement_timestamp() AND id & 15 = ANY($2::bigint[])
        ORDER BY deadline LIMIT $1::int`,
    ),
    refresh: at(
      'refresh',
      `WITH locked AS MATERIALIZED (
         SELECT id FROM ${s}.lease WHERE id & 15 = ANY($1::bigint[]) ORDER BY id FOR UPDATE)
       UPDATE ${s}.lease l SET deadline = clock_timestamp() + make_interval(secs => l.ttl), remaining_ttl = l.ttl
         FROM locked WHERE l.id = locked.id`,
    ),

    size: at(
      'size',
      `SELECT (SELECT sum(pg_total_relation_size(oid)) FROM pg_class
                WHERE relnamespace = '${s}'::regnamespace AND relkind = 'r'),
              (SELECT total FROM ${s}.commit ORDER BY number DESC LIMIT 1) - (SELECT removed_bytes FROM ${s}.store)`,
    ),
  } as const;
}
