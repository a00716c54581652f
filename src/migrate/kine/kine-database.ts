import { Failure } from '../../base/failure.ts';
import type { KineRow } from './kine-rows.ts';

/** A database that kine keeps its table in, seen from one moment: what kine writes meanwhile is not seen. */
export interface KineDatabase {
  /** For people: "kine table in PostgreSQL 15.4". */
  readonly description: string;
  /** Whether two names that differ by case alone are one name to it. */
  readonly foldsCase: boolean;
  /** The newest id, 0 for none; the largest prev_revision of compact_rev_key, 0 for none; about how many rows. */
  readonly bounds: KineBounds;
  /** Rows with id > after in order, at most `limit`. */
  page(after: number, limit: number, withValues: boolean): Promise<readonly KineRow[]>;
  close(): Promise<void>;
}

export interface KineBounds {
  readonly head: number;
  readonly compacted: number;
  readonly rows: number;
}

/** Rows without values, a page. With values a page is smaller, since each may be megabytes. */
export const PAGE_ROWS = 5000;
export const PAGE_ROWS_WITH_VALUES = 100;

/** The columns of a row as drivers hand them out, with the names that all three queries give them. */
export interface RawRow {
  readonly id: unknown;
  readonly name: unknown;
  readonly created: unknown;
  readonly deleted: unknown;
  readonly create_revision: unknown;
  readonly prev_revision: unknown;
  readonly lease: unknown;
  readonly value?: unknown;
}

/** etcd and kedge take no longer ones either way; a name beyond this is damage. */
const NAME_BYTES_MAX = 1024 * 1024;
const ID_MAX = 2 ** 41 - 1;

/** Throws a Failure that names the row and what is wrong with it. */
export function kineRow(raw: RawRow, where: string): KineRow {
  const id = whole(raw.id, 'id', 0, where);
  if (id < 1 || id > ID_MAX) throw new Failure(`${where}: a row has the id ${id}, which cannot be a revision`);
  const at = `${where}: row ${id}`;
  const { name, value } = raw;
  if (!(name instanceof Uint8Array) || name.length === 0 || name.length > NAME_BYTES_MAX) {
    throw new Failure(`${at}: its name is ${name instanceof Uint8Array ? `${name.length} bytes long` : typeof name}`);
  }
  if (value !== undefined && value !== null && !(value instanceof Uint8Array)) {
    throw new Failure(`${at}: its value is not bytes but ${typeof value}`);
  }
  return {
    id,
    name: Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1'),
    created: whole(raw.created, 'created', 0, at) !== 0,
    deleted: whole(raw.deleted, 'deleted', 0, at) !== 0,
    createRevision: whole(raw.create_revision, 'create_revision', 0, at),
    prevRevision: whole(raw.prev_revision, 'prev_revision', 0, at),
    leaseSeconds: whole(raw.lease, 'lease', 0, at),
    value: value ?? undefined,
  };
}

/** Numbers come as number, bigint or text, whichever the driver likes. NULL is 0. */
export function whole(raw: unknown, column: string, ifNull: number, where: string): number {
  if (raw === null || raw === undefined) return ifNull;
  const number = typeof raw === 'number' ? raw : typeof raw === 'bigint' || typeof raw === 'string' ? Number(raw) : NaN;
  if (!Number.isSafeInteger(number)) throw new Failure(`${where}: its ${column} is no whole number`);
  return number;
}
