import { ResponseHeader } from './kv-table.ts';
import { bytes, id64, message, nested } from './schema.ts';

/** The messages of v3lockpb.Lock. Source: etcd's v3lock.proto. */

export const LockRequest = message('v3lockpb.LockRequest', { name: bytes(1), lease: id64(2) });
export const LockResponse = message('v3lockpb.LockResponse', { header: nested(1, ResponseHeader), key: bytes(2) });

export const UnlockRequest = message('v3lockpb.UnlockRequest', { key: bytes(1) });
export const UnlockResponse = message('v3lockpb.UnlockResponse', { header: nested(1, ResponseHeader) });
