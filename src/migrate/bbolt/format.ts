import { Failure } from '../../base/failure.ts';

/*
 * bbolt's file format, the one that etcd keeps its data in. Little-endian throughout. A file is pages of one size:
 *
 *   page 0, 1   meta: which of the two counts is said by the transaction id; the other is the state before
 *   page 2 …    branch and leaf pages of the buckets' trees, the list of free pages, and free ones
 *
 *   page    := id u64, flags u16, count u16, overflow u32 (pages that follow and belong to it), elements, data
 *   leaf    := flags u32 (1: a bucket), position u32 (of the key, from the element on), key bytes u32, value bytes u32
 *   branch  := position u32, key bytes u32, page u64
 *   bucket  := root page u64 (0: the page follows right here), sequence u64
 *   meta    := magic u32, version u32, page bytes u32, flags u32, root bucket, free list's page u64, pages in use u64,
 *              transaction u64, FNV-1a of what stands before it u64
 *
 * Source: etcd-io/bbolt internal/common/page.go, meta.go, bucket.go.
 */

export const PAGE_HEADER_BYTES = 16;
export const LEAF_ELEMENT_BYTES = 16;
export const BRANCH_ELEMENT_BYTES = 16;
/** A bucket as it stands in a leaf's value. */
export const BUCKET_BYTES = 16;
export const META_BYTES = 64;
export const META_CHECKED_BYTES = 56;

export const MAGIC = 0xed0cdaed;
export const FORMAT_VERSION = 2;

export const PageFlag = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;
/** In a leaf's element: its value is a bucket. */
export const BUCKET_FLAG = 0x01;

/** What bbolt makes pages of: the machine's memory page. */
export const PAGE_BYTES_MIN = 1024;
export const PAGE_BYTES_MAX = 65_536;

/** `etcdctl snapshot save` ends the file with a SHA-256, told by the length: pages are multiples of 512. */
export const DIGEST_BYTES = 32;
export const DIGEST_REMAINDER_BYTES = 512;

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** FNV-1a with 64 bits. */
export function fnv1a64(bytes: Uint8Array): bigint {
  let hash = FNV_OFFSET;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash;
}

/** A u64 that must be a number; undefined when it is beyond 2^53. */
export function readU64(view: DataView, at: number): number | undefined {
  const high = view.getUint32(at + 4, true);
  return high > 0x1f_ffff ? undefined : high * 0x1_0000_0000 + view.getUint32(at, true);
}

export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

/** What every damage is told by: the file, where, and what to do about it. */
export function damaged(file: string, what: string): Failure {
  return new Failure(`${file} is damaged (${what}): take another snapshot, or another copy of this one`);
}

/** Compares byte strings as bbolt orders its keys. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
