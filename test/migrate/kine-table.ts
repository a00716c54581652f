/**
 * kine's table as kine keeps it: the same statements, for the three databases. Written after k3s-io/kine
 * pkg/drivers/{generic,sqlite,pgsql,mysql}, pkg/logstructured and pkg/server/compact.go.
 */
export interface KineDialect {
  readonly schema: readonly string[];
  /** Turns `?` into what the driver takes. */
  run(sql: string, values: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  readonly compact: string;
}

const COLUMNS = (text: string, number: string, bytes: string, id: string) => `
  ${id}, name ${text}, created INTEGER, deleted INTEGER, create_revision ${number}, prev_revision ${number},
  lease INTEGER, value ${bytes}, old_value ${bytes}`;

const INDEXES = [
  'CREATE INDEX kine_name_index ON kine (name)',
  'CREATE UNIQUE INDEX kine_name_prev_revision_uindex ON kine (name, prev_revision)',
];

export const SCHEMAS = {
  sqlite: [
    `CREATE TABLE kine (${COLUMNS('TEXT', 'INTEGER', 'BLOB', 'id INTEGER PRIMARY KEY AUTOINCREMENT')})`,
    ...INDEXES,
  ],
  postgres: [
    `CREATE TABLE kine (${COLUMNS('text COLLATE "C"', 'BIGINT', 'bytea', 'id BIGSERIAL PRIMARY KEY')})`,
    ...INDEXES,
  ],
  mysql: [
    `CREATE TABLE kine (${COLUMNS('VARCHAR(630) CHARACTER SET ascii', 'BIGINT UNSIGNED', 'MEDIUMBLOB', 'id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY')})`,
    ...INDEXES,
  ],
} as const;

const COMPACT_IDS = `SELECT kp.prev_revision AS id FROM kine AS kp
  WHERE kp.name != 'compact_rev_key' AND kp.prev_revision != 0 AND kp.id <= ?
  UNION SELECT kd.id AS id FROM kine AS kd WHERE kd.deleted != 0 AND kd.id <= ?`;
export const COMPACT = {
  sqlite: `DELETE FROM kine AS kv WHERE kv.id IN (${COMPACT_IDS})`,
  postgres: `DELETE FROM kine AS kv USING (${COMPACT_IDS}) AS ks WHERE kv.id = ks.id`,
  mysql: `DELETE kv FROM kine AS kv INNER JOIN (${COMPACT_IDS}) AS ks ON kv.id = ks.id`,
} as const;

interface Latest {
  readonly id: number;
  readonly deleted: boolean;
  readonly createRevision: number;
}

/** What kine's clients do. */
export class KineTable {
  readonly #dialect: KineDialect;

  constructor(dialect: KineDialect) {
    this.#dialect = dialect;
  }

  async make(): Promise<void> {
    for (const sql of this.#dialect.schema) await this.#dialect.run(sql, []);
    await this.#insert('compact_rev_key', 1, 0, 0, 0, 0, Buffer.from(''));
  }

  /** False: it is there. */
  async create(key: string, value: string, ttl = 0): Promise<boolean> {
    const latest = await this.#latest(key);
    if (latest !== undefined && !latest.deleted) return false;
    await this.#insert(key, 1, 0, 0, latest?.id ?? 0, ttl, Buffer.from(value));
    return true;
  }

  async update(key: string, value: string, ttl = 0): Promise<boolean> {
    const latest = await this.#latest(key);
    if (latest === undefined || latest.deleted) return false;
    await this.#insert(key, 0, 0, latest.createRevision, latest.id, ttl, Buffer.from(value));
    return true;
  }

  async delete(key: string): Promise<boolean> {
    const latest = await this.#latest(key);
    if (latest === undefined || latest.deleted) return false;
    await this.#insert(key, 0, 1, 0, latest.id, 0, Buffer.from('the value before'));
    return true;
  }

  /** A lost insert burns an id; the poll fills it later. */
  async gap(): Promise<void> {
    const head = await this.head();
    await this.#dialect.run(
      `INSERT INTO kine(id, name, created, deleted, create_revision, prev_revision, lease, value, old_value)
       VALUES(?, ?, 0, 1, 0, 0, 0, NULL, NULL)`,
      [head + 1, `gap-${head + 1}`],
    );
    await this.#skipTo(head + 2);
  }

  /** Leaves an id without any row. */
  async hole(): Promise<void> {
    await this.#skipTo((await this.head()) + 2);
  }

  async compact(revision: number): Promise<void> {
    await this.#dialect.run(this.#dialect.compact, [revision, revision]);
    await this.#dialect.run(`UPDATE kine SET prev_revision = ? WHERE name = 'compact_rev_key'`, [revision]);
  }

  async head(): Promise<number> {
    const [row] = await this.#dialect.run('SELECT max(id) AS id FROM kine', []);
    return Number(row?.['id']);
  }

  async #latest(key: string): Promise<Latest | undefined> {
    const sql = `SELECT id, created, deleted, create_revision FROM kine
      WHERE id = (SELECT max(id) FROM kine WHERE name = ?)`;
    const [row] = await this.#dialect.run(sql, [key]);
    if (row === undefined) return undefined;
    const id = Number(row['id']);
    return {
      id,
      deleted: Number(row['deleted']) !== 0,
      createRevision: Number(row['created']) !== 0 ? id : Number(row['create_revision']),
    };
  }

  async #insert(...values: readonly [string, number, number, number, number, number, Buffer]): Promise<void> {
    await this.#dialect.run(
      `INSERT INTO kine(name, created, deleted, create_revision, prev_revision, lease, value, old_value)
       SELECT ?, ?, ?, ?, ?, ?, ?, (SELECT value FROM kine WHERE id = ?) AS old_value`,
      [...values, values[4]],
    );
  }

  /** The next id: the sequence, or where there is none for a key, a row that comes and goes. */
  async #skipTo(id: number): Promise<void> {
    if (this.#dialect.schema === SCHEMAS.postgres) {
      await this.#dialect.run(`SELECT setval('kine_id_seq', ?, false)`, [id]);
      return;
    }
    await this.#dialect.run(`INSERT INTO kine(id, name, prev_revision) VALUES(?, 'x', 0)`, [id - 1]).catch(() => []);
    await this.#dialect.run(`DELETE FROM kine WHERE id = ? AND name = 'x'`, [id - 1]);
  }
}
