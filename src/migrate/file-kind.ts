import { open } from 'node:fs/promises';
import { Failure } from '../base/failure.ts';
import { DIGEST_BYTES, DIGEST_REMAINDER_BYTES, MAGIC } from './bbolt/format.ts';

/** What a file is, told from its first bytes. `sqlite`: a database of another program, kine's maybe. */
export type FileKind = 'etcd' | 'kedge' | 'sqlite' | 'other';

export interface FileFacts {
  readonly kind: FileKind;
  readonly bytes: number;
  /** Whether a SHA-256 stands at its end, as `etcdctl snapshot save` puts it there: told by the length. */
  readonly hasDigest: boolean;
}

const HEAD_BYTES = 128;
const SQLITE_MAGIC = 'SQLite format 3\0';
/** PRAGMA application_id. Source: https://www.sqlite.org/fileformat.html, section 1.3. */
const APPLICATION_ID_AT = 68;
const KEDGE_APPLICATION_ID = 0x6b656467;
/** bbolt's magic: behind the page header, in either of the two meta pages. */
const META_AT = 16;
const META_PAGE_BYTES = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/** Throws a Failure when the file cannot be read. */
export async function fileFacts(path: string): Promise<FileFacts> {
  const handle = await open(path, 'r').catch((error: Error) => {
    throw new Failure(`cannot read ${path}: ${error.message}`, { cause: error });
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new Failure(`${path} is not a file`);
    const head = Buffer.alloc(HEAD_BYTES);
    await handle.read(head, 0, head.length, 0);
    const hasDigest = stat.size % DIGEST_REMAINDER_BYTES === DIGEST_BYTES;
    let kind = kindOf(head);
    // The first meta page may be the broken one.
    for (const at of kind === 'other' ? META_PAGE_BYTES : []) {
      await handle.read(head, 0, head.length, at);
      if (head.readUInt32LE(META_AT) === MAGIC) kind = 'etcd';
    }
    return { kind, bytes: stat.size, hasDigest };
  } finally {
    await handle.close();
  }
}

function kindOf(head: Buffer): FileKind {
  if (head.readUInt32LE(META_AT) === MAGIC) return 'etcd';
  if (head.toString('latin1', 0, SQLITE_MAGIC.length) !== SQLITE_MAGIC) return 'other';
  return head.readUInt32BE(APPLICATION_ID_AT) === KEDGE_APPLICATION_ID ? 'kedge' : 'sqlite';
}
