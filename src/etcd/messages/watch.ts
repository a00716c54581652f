import { Reader, varintBytes, type Writer } from '../../base/protobuf.ts';
import type { Key, Revision } from '../../mvcc/types.ts';
import type { WatchEvent } from '../../mvcc/watch.ts';
import type { HeaderCodec } from '../header.ts';

/** A decoded WatchRequest; `nothing`: none of the three was set. */
export type WatchRequestMessage =
  | WatchCreateMessage
  | { readonly kind: 'cancel'; readonly watchId: bigint }
  | { readonly kind: 'progress' }
  | { readonly kind: 'nothing' };

export interface WatchCreateMessage {
  readonly kind: 'create';
  readonly key: Key;
  readonly end: Key;
  readonly startRevision: Revision;
  readonly progressNotify: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  /** 0n: the server chooses. */
  readonly watchId: bigint;
  readonly fragment: boolean;
}

const reader = new Reader();

/** Decodes etcdserverpb.WatchRequest. Throws ProtobufError. */
export function decodeWatchRequest(bytes: Uint8Array): WatchRequestMessage {
  reader.reset(bytes);
  let request: WatchRequestMessage = { kind: 'nothing' };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== 0x0a && tag !== 0x12 && tag !== 0x1a) {
      reader.skip(tag);
      continue;
    }
    const limit = reader.enter();
    if (tag === 0x0a) request = readCreate();
    else if (tag === 0x12) request = readCancel();
    else {
      skipAll();
      request = { kind: 'progress' };
    }
    reader.leave(limit);
  }
  return request;
}

function readCreate(): WatchCreateMessage {
  let key = '';
  let end = '';
  let startRevision = 0;
  let progressNotify = false;
  let noPut = false;
  let noDelete = false;
  let prevKv = false;
  let watchId = 0n;
  let fragment = false;
  const addFilter = (filter: number): void => {
    if (filter === 0) noPut = true;
    else if (filter === 1) noDelete = true;
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x0a:
        key = reader.latin1();
        break;
      case 0x12:
        end = reader.latin1();
        break;
      case 0x18:
        startRevision = reader.int64();
        break;
      case 0x20:
        progressNotify = reader.bool();
        break;
      case 0x28:
        addFilter(reader.int32());
        break;
      // proto3 packs repeated enums.
      case 0x2a: {
        const limit = reader.enter();
        while (reader.remaining > 0) addFilter(reader.int32());
        reader.leave(limit);
        break;
      }
      case 0x30:
        prevKv = reader.bool();
        break;
      case 0x38:
        watchId = reader.int64Big();
        break;
      case 0x40:
        fragment = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { kind: 'create', key, end, startRevision, progressNotify, noPut, noDelete, prevKv, watchId, fragment };
}

function readCancel(): WatchRequestMessage {
  let watchId = 0n;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) watchId = reader.int64Big();
    else reader.skip(tag);
  }
  return { kind: 'cancel', watchId };
}

function skipAll(): void {
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) reader.skip(tag);
}

/** A WatchResponse without its events. */
export interface WatchResponseHead {
  readonly watchId: bigint;
  readonly created: boolean;
  readonly canceled: boolean;
  /** 0: none. */
  readonly compactRevision: Revision;
  /** Empty: none. */
  readonly cancelReason: string;
  readonly fragment: boolean;
}

/** Writes etcdserverpb.WatchResponse but for its events, which may follow as they are (`writeEvents`). */
export function writeWatchResponseHead(
  writer: Writer,
  header: HeaderCodec,
  revision: Revision,
  head: WatchResponseHead,
): void {
  header.write(writer, revision);
  if (head.watchId !== 0n) {
    writer.byte(0x10);
    writer.int64Big(head.watchId);
  }
  if (head.created) {
    writer.byte(0x18);
    writer.byte(1);
  }
  if (head.canceled) {
    writer.byte(0x20);
    writer.byte(1);
  }
  if (head.compactRevision !== 0) {
    writer.byte(0x28);
    writer.int64(head.compactRevision);
  }
  if (head.cancelReason !== '') {
    writer.byte(0x32);
    writer.string(head.cancelReason);
  }
  if (head.fragment) {
    writer.byte(0x38);
    writer.byte(1);
  }
}

/** How many bytes `writeEvent` writes. */
export function eventBytes(event: WatchEvent): number {
  const length = eventLength(event);
  return 1 + varintBytes(length) + length;
}

function eventLength(event: WatchEvent): number {
  const { kv, prevKv } = event;
  let length = (event.kind === 'delete' ? 2 : 0) + 1 + varintBytes(kv.length) + kv.length;
  if (prevKv !== undefined) length += 1 + varintBytes(prevKv.length) + prevKv.length;
  return length;
}

/** Writes one element of WatchResponse's field `events`: an mvccpb.Event. */
export function writeEvent(writer: Writer, event: WatchEvent): void {
  writer.byte(0x5a);
  writer.int64(eventLength(event));
  if (event.kind === 'delete') {
    writer.byte(0x08);
    writer.byte(1);
  }
  writer.byte(0x12);
  writer.bytes(event.kv);
  if (event.prevKv !== undefined) {
    writer.byte(0x1a);
    writer.bytes(event.prevKv);
  }
}
